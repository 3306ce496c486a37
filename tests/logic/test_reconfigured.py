"""A config that a running node has to refuse changes nothing there."""

import pytest

from logic.settings import Settings
from tests import gifts


async def test_a_key_file_that_is_none_changes_nothing_else(world, logic, monkeypatch):
    def refuse(*_):
        raise ValueError("push.fcm.key_file: is none")

    changed = []
    monkeypatch.setattr("logic.node.reconfigure_providers", refuse)
    monkeypatch.setattr(world.mesh, "reconfigured", changed.append, raising=False)
    monkeypatch.setattr(logic.auth, "reconfigured", changed.append)
    with pytest.raises(ValueError, match="fcm"):
        logic.reconfigured(Settings(receipts=gifts.SETTINGS, messages_per_s=1))
    assert changed == []
