"""`relaymesh api-key`, and the key that a local cluster has from its start."""

import json
import stat
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.cluster.state_dir import StateDir
from ops.command import relaymesh
from router.gateway.keys.file import load_keys
from router.gateway.keys.ring import ApiKeys
from router.gateway.scopes import ALL_SCOPES, Scope


def run(tmp_path: Path, *arguments: str, stdin: str = "") -> Result:
    where = ["--file", str(tmp_path / "keys.toml")]
    return CliRunner().invoke(relaymesh, ["api-key", *arguments, *where], input=stdin)


def test_a_new_key_is_shown_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    made = run(
        tmp_path,
        *("new", "shop", "--scope", "publish:room", "--scope", "kick", "--room", "shop-*"),
        *("--per-s", "5", "--burst", "10", "--days", "30", "--note", "the shop"),
    )
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert "SIGHUP" in made.stderr
    file = tmp_path / "keys.toml"
    assert token.rpartition("_")[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = ApiKeys(load_keys(str(file))).verify(token, time.time())
    assert (key.scopes, key.rooms, key.users) == (
        (Scope.PUBLISH_ROOM, Scope.KICK),
        ("shop-*",),
        ("*",),
    )
    assert (key.per_s, key.burst, key.note) == (5.0, 10, "the shop")
    assert not key.has_expired(time.time() + 29 * 86_400)
    assert key.has_expired(time.time() + 31 * 86_400)


def test_keys_are_added_to_those_that_are_there_and_listed(tmp_path: Path) -> None:
    first = run(tmp_path, "new", "shop", "--scope", "kick").stdout.strip()
    second = run(tmp_path, "new", "ops", "--scope", "all").stdout.strip()
    keys = ApiKeys(load_keys(str(tmp_path / "keys.toml")))
    assert keys.verify(first, 0).id == "shop"
    assert set(keys.verify(second, 0).scopes) == ALL_SCOPES
    shown = run(tmp_path, "list").stdout.splitlines()
    assert [line.partition(":")[0] for line in shown] == ["shop", "ops"]
    listed = json.loads(run(tmp_path, "list", "--json").stdout)
    assert [each["id"] for each in listed] == ["shop", "ops"]
    assert all("sha256" not in each for each in listed)


def test_a_token_is_checked_against_the_file(tmp_path: Path) -> None:
    token = run(tmp_path, "new", "shop", "--scope", "kick").stdout
    assert run(tmp_path, "check", stdin=token).stdout.startswith("shop: kick;")
    wrong = run(tmp_path, "check", stdin=token.strip()[:-4] + "0000")
    assert (wrong.exit_code, wrong.stderr) == (
        1,
        "Error: That is no API key of this cluster's.\n",
    )
    assert "1 keys" in run(tmp_path, "check").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("new", "Shop", "--scope", "kick"), "$.id"),
        (("new", "shop", "--scope", "kicks"), "scopes are all, publish:room"),
        (("new", "shop", "--scope", "kick", "--room", "a b"), "$.rooms[0]"),
        (("new", "shop", "--scope", "kick", "--per-s", "0"), "$.per_s"),
        (("new", "shop", "--scope", "kick", "--days", "0"), "--days: expected at least 1"),
        (("new", "shop"), "--scope"),
        (("new", "old", "--scope", "kick"), "has a key old already"),
    ],
)
def test_what_makes_no_key_is_refused_by_name(
    tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    run(tmp_path, "new", "old", "--scope", "kick")
    before = (tmp_path / "keys.toml").read_text()
    refused = run(tmp_path, *arguments)
    assert refused.exit_code == 2
    assert expected in refused.stderr
    assert "Traceback" not in refused.output
    assert (tmp_path / "keys.toml").read_text() == before


def test_a_file_that_is_of_no_use_is_said_to_be(tmp_path: Path) -> None:
    assert "No such file" in run(tmp_path, "list").stderr
    (tmp_path / "keys.toml").write_text("[[keys]]\nid = 7\n")
    for arguments in (("list",), ("check",), ("new", "shop", "--scope", "kick")):
        refused = run(tmp_path, *arguments)
        assert (refused.exit_code, "keys.toml" in refused.stderr) == (1, True)


def test_a_local_cluster_has_a_key_that_may_do_everything_and_keeps_others(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    state.take()
    file = state.api_keys()
    token_file = state.path / "api-key"
    assert {stat.S_IMODE(each.stat().st_mode) for each in (file, token_file)} == {0o600}
    token = token_file.read_text().strip()
    assert set(ApiKeys(load_keys(str(file))).verify(token, 0).scopes) == ALL_SCOPES
    where = ["--state-dir", str(state.path)]
    made = CliRunner().invoke(relaymesh, ["api-key", "new", "shop", "--scope", "kick", *where])
    assert made.exit_code == 0
    assert state.api_keys() == file
    assert [key.id for key in load_keys(str(file))] == ["local", "shop"]
