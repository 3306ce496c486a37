"""The protocol's catalogues as data: which errors may be sent again, which closes permit a return.

They equal those of the server (a test compares them), which this package does not import.
"""

RETRY_BY_ERROR: dict[str, bool] = {
    "bad_json": False,
    "bad_frame": False,
    "unknown_op": False,
    "hello_first": False,
    "hello_twice": False,
    "token_invalid": False,
    "token_expired": False,
    "token_revoked": False,
    "wrong_password": False,
    "forbidden": False,
    "banned": False,
    "receipt_invalid": False,
    "receipt_used": False,
    "not_friends": False,
    "not_member": False,
    "muted": False,
    "not_found": False,
    "bad_cursor": False,
    "too_late": False,
    "too_many_devices": False,
    "full": False,
    "conflict": False,
    "not_joined": False,
    "too_many_rooms": False,
    "too_large": False,
    "too_many_connections": False,
    "rate_limited": True,
    "overloaded": True,
    "unavailable": True,
    "home_unreachable": True,
    "timeout": True,
}
"""Error code to whether the same request may be sent again as it is."""

NOT_DONE = frozenset({"rate_limited", "overloaded"})
"""Errors that promise that nothing was done: even a request without a `mid` may be repeated."""

RECONNECT_BY_CLOSE: dict[int, bool] = {
    1000: False,
    1002: False,
    1003: False,
    1007: False,
    1009: False,
    1011: True,
    1012: True,
    4000: True,
    4001: False,
    4002: False,
    4003: True,
    4004: False,
    4005: False,
    4006: True,
    4008: True,
    4009: True,
    4010: True,
    4011: False,
    4012: False,
    4013: False,
}
"""Close code to whether the client may come back by itself."""

TOKEN_EXPIRED = 4002
"""The one refusal that a fresh token mends."""


def may_retry(code: str) -> bool:
    """Say whether a request answered with error `code` may be repeated; unknown codes: no."""
    return RETRY_BY_ERROR.get(code, False)


def is_slow_mode(code: str, field: str) -> bool:
    """Say whether an error means that the room is in slow mode."""
    return code == "rate_limited" and field == "room"


def may_reconnect(code: int | None) -> bool:
    """Say whether to come back after close `code`; `None` is a connection that broke: yes.

    A code of nobody's catalogue (1001 of a proxy, say) is no verdict on this client: yes.
    """
    return True if code is None else RECONNECT_BY_CLOSE.get(code, True)
