"""Types that settings share: how a field says that it holds a secret."""

from typing import Annotated

import msgspec

SECRET_MARK = "secret"
"""The key in a field's `msgspec.Meta(extra=...)` that marks it as a secret."""

Secret = Annotated[str, msgspec.Meta(extra={SECRET_MARK: True})]
"""A text that is never shown: logs leave it out and `relaymesh config show` masks it.

>>> class Settings(msgspec.Struct):
...     token_secret: Annotated[Secret, msgspec.Meta(description="Key that signs tokens.")] = ""
"""
