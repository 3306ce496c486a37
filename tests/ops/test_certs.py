"""`relaymesh certs`: what an operator makes and renews, and what is refused."""

import datetime as dt
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backends.tls.credentials import load
from backends.tls.files import Files
from ops.certs.folder import Folder
from ops.cluster.certificates import prepare_certificates
from ops.cluster.plan import plan
from ops.command import relaymesh


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(relaymesh, ["certs", *arguments])
    assert not result.exception or isinstance(result.exception, SystemExit)
    return result


def shown(folder: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads(run("show", "--dir", str(folder), "--json").output)
    return {row["certificate"]: row for row in rows}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert run("init", "--dir", str(tmp_path / "certs")).exit_code == 0
    return tmp_path / "certs"


def test_what_is_issued_is_for_its_node_and_for_the_user_alone(folder: Path) -> None:
    for role, node in (("access", "access-1"), ("relay", "*")):
        printed = run("issue", role, node, "--dir", str(folder)).output.splitlines()
        files = Files(*(line.partition(" = ")[2].strip('"') for line in printed))
        assert load(files).name == f"{role}/{node}"
    assert set(shown(folder)) == {"ca", "access/access-1", "relay/*"}
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_renewal_is_for_those_that_are_due_or_for_all(folder: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    Folder(folder, lambda: now - dt.timedelta(days=70)).issue("logic", "old", days=100)
    Folder(folder).issue("logic", "young", days=100)
    before = shown(folder)
    renewed = json.loads(run("renew", "--dir", str(folder), "--json").output)
    assert [row["certificate"] for row in renewed] == ["logic/old"]
    assert renewed[0]["days_left"] == 364
    key = Path(renewed[0]["key_file"]).read_text()
    every = json.loads(run("renew", "--all", "--dir", str(folder), "--json").output)
    assert [row["certificate"] for row in every] == ["logic/old", "logic/young"]
    assert Path(renewed[0]["key_file"]).read_text() != key
    assert shown(folder)["ca"] == before["ca"]


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    run("init", "--dir", str(tmp_path), "--days", "30")
    run("issue", "access", "access-1", "--dir", str(tmp_path))
    assert shown(tmp_path)["access/access-1"]["days_left"] <= 30


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["init"], 1, "{folder} has an authority already"),
        (["init", "--days", "0"], 2, "0.0 is not in the range"),
        (["issue", "king", "a"], 2, "'king' is not one of 'access', 'relay', 'router', 'logic'"),
        (["issue", "access", "A b"], 2, "NODE: expected 1 to 63 of the characters a-z 0-9 -"),
        (["issue", "access", "../x"], 2, "NODE: expected 1 to 63 of the characters a-z 0-9 -"),
        (["issue", "access", "a" * 63], 2, "has 70 characters, a certificate's name at most 64"),
    ],
)
def test_what_can_not_be_done_is_one_clear_line(
    folder: Path, arguments: list[str], code: int, complaint: str
) -> None:
    result = run(*arguments, "--dir", str(folder))
    assert (result.exit_code, complaint.format(folder=folder) in result.output) == (code, True)
    assert set(shown(folder)) == {"ca"}


def test_a_file_that_is_no_nodes_is_left_alone(folder: Path) -> None:
    run("issue", "access", "a", "--dir", str(folder))
    copy = folder / "access" / "a (copy).pem"
    copy.write_text((folder / "access" / "a.pem").read_text())
    renewed = json.loads(run("renew", "--all", "--dir", str(folder), "--json").output)
    assert [row["certificate"] for row in renewed] == ["access/a"]
    assert copy.exists()


@pytest.mark.parametrize("command", [["show"], ["renew"], ["issue", "access", "a"]])
def test_without_an_authority_it_is_told_how_to_make_one(
    tmp_path: Path, command: list[str]
) -> None:
    result = run(*command, "--dir", str(tmp_path))
    assert result.exit_code == 1
    assert result.output == (
        f"Error: {tmp_path} has no authority; `relaymesh certs init` makes one\n"
    )


def test_an_authority_that_can_not_be_used_is_named(folder: Path) -> None:
    (folder / "ca.key").write_text("nonsense")
    result = run("issue", "access", "a", "--dir", str(folder))
    assert result.output.startswith("Error: ca.key: expected a private key in PEM")
    other = folder.parent / "other"
    Folder(other, lambda: dt.datetime.now(dt.UTC) - dt.timedelta(days=9)).init(days=1)
    result = run("issue", "access", "a", "--dir", str(other))
    assert result.output.startswith(f"Error: the authority in {other} has ended")


def test_a_local_cluster_gives_every_node_a_certificate_that_has_time(tmp_path: Path) -> None:
    nodes = plan(7700, routers=1, access=1, relays=1, logics=1, dedicated=1)
    now = dt.datetime.now(dt.UTC)
    every = (*nodes.nodes, *nodes.dedicated)
    prepare_certificates(Folder(tmp_path, lambda: now - dt.timedelta(days=300)), every)
    old = Folder(tmp_path).issued()
    assert {(each.role, each.node) for each in old} == {(node.role, node.id) for node in every}
    prepare_certificates(Folder(tmp_path), every)
    new = Folder(tmp_path).issued()
    assert all((each.ends - now).days > 360 for each in new)
    prepare_certificates(Folder(tmp_path), every)
    assert Folder(tmp_path).issued() == new


@pytest.mark.parametrize(
    ("role", "shown", "complaint"),
    [
        ("access", "access/access-1", ""),
        ("relay", "relay/*", ""),
        (
            "access",
            "access/access-2",
            "access.mesh.tls.cert_file: expected a",
        ),
        (
            "relay",
            "access/access-1",
            "relay.tls.cert_file: expected a",
        ),
    ],
)
def test_a_config_has_the_certificate_of_its_own_node(
    folder: Path, role: str, shown: str, complaint: str
) -> None:
    table = "relay.tls" if role == "relay" else f"{role}.mesh.tls"
    address = {"relay": "relay.listen", "access": "access.mesh.relays"}[role]
    files = Folder(folder).issue(*shown.split("/"))
    file = folder / "node.toml"
    tokens = f'[access.tokens]\nsecret = "{"s" * 32}"\n' if role == "access" else ""
    file.write_text(f'[node]\nid = "{role}-1"\n[{role}]\n{tokens}')
    sets = [f"{table}.{key}={path}" for key, path in files._asdict().items()]
    sets.append(f"{address}=tls+tcp://127.0.0.1:7730")
    flags = [part for each in sets for part in ("--set", each)]
    result = CliRunner().invoke(relaymesh, ["config", "check", str(file), "--role", role, *flags])
    assert (result.exit_code, result.output.startswith(f"Error: {complaint}")) == (
        (2, True) if complaint else (0, False)
    )
