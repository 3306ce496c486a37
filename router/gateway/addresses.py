"""Where a request comes from."""

from starlette.requests import Request


def address_of(request: Request) -> str:
    """Return the client's address, as the guard has found it behind trusted proxies; "" where there
    is none (a Unix socket)."""
    return request.client.host if request.client else ""
