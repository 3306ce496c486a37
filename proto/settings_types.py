"""What settings say of their keys: that one holds a secret, that one is taken over by a reload."""

from typing import Annotated

import msgspec
from msgspec import Meta

SECRET_MARK = "secret"
"""The key in a field's `msgspec.Meta(extra=...)` that marks it as a secret."""

Secret = Annotated[str, msgspec.Meta(extra={SECRET_MARK: True})]
"""A text that is never shown: logs leave it out and `relaymesh config show` masks it.

>>> class Settings(msgspec.Struct):
...     token_secret: Annotated[Secret, msgspec.Meta(description="Key that signs tokens.")] = ""
"""

RELOAD_MARK = "reload"
"""The key in a field's `msgspec.Meta(extra=...)` that marks it as taken over by a reload."""

RELOADS = Meta(extra={RELOAD_MARK: True})
"""Marks a key that a running node takes over from a config that has changed; at a table it goes for
each of its keys. Whoever marks a key sees to it that the role's `reconfigured` hands it on, and
says in `tests/ops/reload/` how the new value is seen. What is not marked takes a restart.

>>> class Settings(msgspec.Struct):
...     max_rooms: Annotated[int, RELOADS, Meta(description="Rooms of one connection.")] = 50
"""


class RestartNeededError(ValueError):
    """A key that reloads has a value that this running node can't take over, and could after a
    restart. `reconfigured` raises it before it has changed anything."""
