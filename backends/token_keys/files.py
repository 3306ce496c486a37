"""Reads the keys that tokens and receipts are verified with."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from proto.receipt_settings import ReceiptSettings
from proto.token_keys import Key, Keyring, from_jwks, from_pem, hs256
from proto.token_settings import TokenSettings

T = TypeVar("T")


def load_keyring(settings: TokenSettings) -> Keyring:
    """Return the keys that `settings` names, read now.

    Raises `ValueError` that begins with the key of the table `tokens` whose value is of no use.
    """
    found = list(own_keyring(settings).keys)
    found += map(load_key, settings.key_files)
    if settings.jwks_file:
        found += _read("jwks_file", settings.jwks_file, from_jwks)
    usable = [key for key in found if key.algorithm in settings.algorithms]
    try:
        return Keyring(usable, settings.issuers)
    except ValueError as error:
        raise ValueError(
            f"tokens.algorithms: {error} of {', '.join(settings.algorithms)}"
        ) from None


def own_keyring(settings: TokenSettings) -> Keyring:
    """Return the cluster's own secrets, the one that signs first: for what nodes give to clients
    for other nodes. Raises as `load_keyring` does."""
    secrets = [settings.secret, *filter(None, [settings.previous_secret])]
    try:
        return Keyring(hs256(secret) for secret in secrets)
    except ValueError as error:
        raise ValueError(f"tokens.secret: {error}") from None


def load_receipt_keyring(settings: ReceiptSettings) -> Keyring:
    """Return the keys of receipts, the secret first, read now.

    Raises `ValueError` that begins with the key of the table `receipts` whose value is of no use.
    """
    secrets = filter(None, [settings.secret, settings.previous_secret])
    try:
        found = [hs256(secret) for secret in secrets]
    except ValueError as error:
        raise ValueError(f"receipts.secret: {error}") from None
    return Keyring([*found, *(load_key(name, "receipts") for name in settings.key_files)])


def load_key(name: str, table: str = "tokens") -> Key:
    """Return the key in the PEM file `name`; raises `ValueError` that names `table` and file."""
    return _read("key_files", name, lambda text: from_pem(text, _kid(name)), table)


def _kid(name: str) -> str:
    return Path(name).stem


def _read(key: str, name: str, parse: Callable[[bytes], T], table: str = "tokens") -> T:
    try:
        return parse(Path(name).read_bytes())
    except OSError as error:
        raise ValueError(f"{table}.{key}: {name}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{table}.{key}: {name}: {error}") from None
