"""The keys that access tokens are signed with."""

from backends.token_keys.files import load_key
from logic.auth.settings import AuthSettings
from proto.token_keys import Key, hs256


def load_keys(settings: AuthSettings) -> list[Key]:
    """Return the keys, the one that signs first.

    Raises `ValueError` that begins with the key of the table `logic` whose value is of no use.
    """
    if not settings.key_files:
        return [_secret(settings.secret)]
    try:
        keys = [load_key(name) for name in settings.key_files]
    except ValueError as error:
        raise ValueError(f"auth.{str(error).removeprefix('tokens.')}") from None
    if keys[0].signing is None:
        raise ValueError(
            f"auth.key_files: {settings.key_files[0]}: expected a private key in the first file"
        )
    return keys


def _secret(secret: str) -> Key:
    try:
        return hs256(secret)
    except ValueError as error:
        raise ValueError(f"auth.secret: {error}") from None
