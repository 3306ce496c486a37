"""Whether a token is good: asked by `hello` and by `refresh`."""

from collections.abc import Callable

from proto import tokens
from proto.token_keys import Keyring
from proto.tokens import Claims


class Credentials:
    """Verifies tokens; `now_s` is the time of their `exp`, Unix seconds."""

    def __init__(self, keyring: Keyring, now_s: Callable[[], float]) -> None:
        self._keyring = keyring
        self._now_s = now_s

    def verify(self, token: str) -> Claims:
        """Return what the token says; raises `RequestError` as `proto.tokens.verify`."""
        return tokens.verify(token, self._keyring, self._now_s())
