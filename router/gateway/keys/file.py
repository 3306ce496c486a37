"""The file of API keys: TOML, a table `[[keys]]` for each."""

import os
import stat
import tomllib
from pathlib import Path

import msgspec

from router.gateway.keys.api_key import ApiKey


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a file."""

    keys: list[ApiKey] = []


def load_keys(name: str) -> list[ApiKey]:
    """Return the keys in the file `name`, none where the name is empty.

    Raises `ValueError` that begins with the config's key, and names the file and what in it is of
    no use.
    """
    if not name:
        return []
    try:
        found = msgspec.convert(tomllib.loads(Path(name).read_text("utf-8")), KeyFile).keys
    except OSError as error:
        raise ValueError(f"gateway.api_keys_file: {name}: {error.strerror}") from None
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # Not in msgspec's own form: the config reads a place of its own out of that.
        reason = str(error).replace(" - at `$.", ", at `")
        raise ValueError(f"gateway.api_keys_file: {name}: {reason}") from None
    _check_once(name, found)
    return found


def entry(key: ApiKey) -> str:
    """Return the lines of TOML that put `key` into a file."""
    lines = ["[[keys]]", f'id = "{key.id}"', f'sha256 = "{key.sha256}"']
    lines += [f"{name} = {_strings(getattr(key, name))}" for name in ("scopes", "rooms", "users")]
    lines += [f"per_s = {key.per_s}", f"burst = {key.burst}"]
    if key.note:
        lines.append(f"note = {_string(key.note)}")
    if key.expires is not None:
        lines.append(f"expires = {key.expires.isoformat()}")
    return "\n".join(lines) + "\n"


def append(file: Path, key: ApiKey) -> None:
    """Put `key` behind those in `file`, or into a new one that its owner alone can read; raises
    `OSError`. The file is replaced as a whole, so that nobody reads half of it."""
    before = file.read_text("utf-8") if file.exists() else ""
    mode = stat.S_IMODE(file.stat().st_mode) if before else 0o600
    changed = file.with_name(file.name + ".new")
    descriptor = os.open(changed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(f"{before}\n{entry(key)}" if before else entry(key))
    changed.replace(file)


def _check_once(name: str, keys: list[ApiKey]) -> None:
    ids = [key.id for key in keys]
    twice = next((each for each in ids if ids.count(each) > 1), None)
    if twice is not None:
        raise ValueError(f"gateway.api_keys_file: {name}: the id {twice} is there twice")


def _strings(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_string, values))}]"


def _string(text: str) -> str:
    # JSON's strings are TOML's basic strings.
    return msgspec.json.encode(text).decode()
