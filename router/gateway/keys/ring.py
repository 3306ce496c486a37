"""The API keys that hold now."""

from collections.abc import Iterable

from proto.errors import ErrorCode, RequestError
from router.gateway.keys.api_key import ApiKey, digest, parse

_WRONG = "That is no API key of this cluster's."
_NOBODYS = digest("")


class ApiKeys:
    """Finds a token's key; `replace` puts other keys in their place while requests go on."""

    def __init__(self, keys: Iterable[ApiKey] = ()) -> None:
        self._keys: dict[str, ApiKey] = {}
        self.replace(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """Let `keys` hold from the next request on, and no others."""
        self._keys = {key.id: key for key in keys}

    def verify(self, token: str, now_s: float) -> ApiKey:
        """Return the key of `token` at Unix time `now_s`.

        Raises `RequestError` `token_invalid`, with the same words and in the same time whether or
        not there is such an id, or `token_expired`.
        """
        presented = parse(token)
        if presented is None:
            message = f"{_WRONG} They look like rmk_ID_SECRET."
            raise RequestError(ErrorCode.TOKEN_INVALID, message, field="authorization")
        key = self._keys.get(presented.id) or _stand_in(presented.id)
        if not key.has_secret(presented.secret):
            raise RequestError(ErrorCode.TOKEN_INVALID, _WRONG, field="authorization")
        if key.has_expired(now_s):
            message = f"The API key {key.id} has expired."
            raise RequestError(ErrorCode.TOKEN_EXPIRED, message, field="authorization")
        return key


def _stand_in(key_id: str) -> ApiKey:
    """Return a key that no token of the required length opens."""
    return ApiKey(id=key_id, sha256=_NOBODYS, scopes=())
