"""What can go wrong for the application, and what it then knows."""


class RelaymeshError(Exception):
    """The base of this package's errors."""


class Refused(RelaymeshError):  # noqa: N818 - the server's word for it
    """The server answered with an error. `code` is from the error catalogue (docs/protocol.md)."""

    def __init__(
        self, code: str, message: str, *, field: str = "", retry_after_ms: int = 0
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_ms = retry_after_ms


class Unanswered(RelaymeshError):  # noqa: N818
    """No answer in time: the request may or may not have been done."""


class Closed(RelaymeshError):  # noqa: N818
    """The client is closed for good: by the application, or by a close that forbids a return.

    `code` is the WebSocket close code, or `None`.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class OutboxFull(RelaymeshError):  # noqa: N818
    """Too many requests wait for their answers; wait for some before sending more."""


def refused(error: dict[str, object]) -> Refused:
    """Return the exception for the `error` object of a reply."""
    wait = error.get("retry_after_ms")
    return Refused(
        str(error.get("code", "")),
        str(error.get("message", "")),
        field=str(error.get("field", "")),
        retry_after_ms=wait if isinstance(wait, int) else 0,
    )


def refused_by_http(problem: dict[str, object]) -> Refused:
    """Return the exception for a problem (RFC 9457) of the gateway."""
    return refused({**problem, "message": problem.get("detail", "")})
