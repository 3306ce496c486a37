"""Where a request comes from."""

from starlette.requests import Request


def address_of(request: Request) -> str:
    """Return the address of the peer; "" where there is none (a Unix socket)."""
    return request.client.host if request.client else ""
