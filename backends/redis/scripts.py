"""The Lua scripts: each is one atomic step, kept in a file of its own beside this one."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files

Argument = bytes | str | int | float
Command = Sequence[Argument]

_TEXTS: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Script:
    """A script that the store runs by its hash, and is taught by the pipeline if need be."""

    sha: str

    def command(self, keys: Sequence[str], *arguments: Argument) -> Command:
        """Return the command that runs it; `keys` must share a hash tag."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


def script(name: str) -> Script:
    """Return the script in `scripts/NAME.lua`."""
    text = (files("backends.redis") / "scripts" / f"{name}.lua").read_text()
    # The store's name of a script is its SHA-1: no secret depends on it.
    sha = sha1(text.encode(), usedforsecurity=False).hexdigest()
    _TEXTS[sha] = text
    return Script(sha)


def text_of(command: Command) -> str | None:
    """Return the text of the script that `command` runs, if it is one of ours."""
    return _TEXTS.get(str(command[1])) if command[0] == "EVALSHA" else None
