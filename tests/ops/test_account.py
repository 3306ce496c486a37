"""`relaymesh account`: what the gateway is asked, and what is refused before."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.command import relaymesh


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the gateway was asked for."""
    paths: list[str] = []

    class Gateway:
        def __init__(self, *_: Any) -> None:
            pass

        def post(self, path: str) -> Any:
            paths.append(path)
            return {"uid": "u-1"}

    monkeypatch.setattr("ops.commands.account.Gateway", Gateway)
    return paths


def run(*arguments: str) -> Result:
    return CliRunner().invoke(relaymesh, ["account", "revoke", *arguments])


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["ann@example.com"], "/v1/users/ann%40example.com/revoke"),
        (["--session", "u-1.5f"], "/v1/logins/u-1.5f/revoke"),
    ],
)
def test_it_asks_the_gateway(asked: list[str], arguments: list[str], path: str) -> None:
    eyes, machine = run(*arguments), run(*arguments, "--json")
    assert asked == [path, path]
    assert (eyes.exit_code, eyes.output) == (0, f"revoked: {arguments[-1]}\n")
    assert json.loads(machine.output) == {"uid": "u-1"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "name a UID"),
        (["ann", "--session", "s"], "name a UID"),
        (["a b"], "UID: 'a b' is none"),
        (["--session", "a b"], "--session: 'a b' is none"),
    ],
)
def test_what_can_be_none_is_refused_before(
    asked: list[str], arguments: list[str], reason: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, asked) == (2, [])
    assert reason in result.output
    assert result.output.count("\n") == 1
