import logging
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Annotated, Literal

import msgspec
import pytest
import structlog
from msgspec import Meta

from proto.settings_types import Secret


class Lane(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a lane."""

    depth: Annotated[int, Meta(description="Envelopes that may wait.", ge=1, le=100)] = 10


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A role made up for tests."""

    listen: Annotated[str, Meta(description="HOST:PORT to listen at.")] = "127.0.0.1:0"
    flush_s: Annotated[float, Meta(description="Seconds between flushes.", gt=0, le=9)] = 0.5
    strict: Annotated[bool, Meta(description="Whether it is strict.")] = False
    mode: Annotated[Literal["fast", "safe"], Meta(description="How.")] = "safe"
    origins: Annotated[tuple[str, ...], Meta(description="Origins allowed.")] = ("*",)
    token_secret: Annotated[Secret, Meta(description="Key that signs tokens.")] = ""
    store_url: Annotated[str, Meta(description="URL of the store.")] = "redis://localhost"
    lane: Lane = msgspec.field(default_factory=Lane)


@pytest.fixture
def relay_settings(monkeypatch: pytest.MonkeyPatch) -> type[Settings]:
    """`relay.settings.Settings` is the made-up one for the time of a test."""
    module = ModuleType("relay.settings")
    module.Settings = Settings  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "relay.settings", module)
    return Settings


@pytest.fixture
def restore_logging() -> Iterable[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
