"""Every key of every role: those that are marked are taken over, the others are named."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
import trustme

import ops.logging
from ops.certs.folder import Folder
from ops.config.check import value_at
from ops.config.load import NodeConfig
from ops.config.reload import reload
from ops.config.reloading import Reloading
from ops.config.schema import Key, keys_of, tables_of
from ops.roles import ROLES
from tests.conftest import RedisServer
from tests.ops.reload.another import another
from tests.ops.reload.files import api_keys, jwks, pem, private_pem, service_account
from tests.ops.reload.running import NOWHERE, RELAY, RUNNING, Data, config_of, data_of
from tests.ops.reload.seen import gone_by

NEXT = "n" * 32
FAR = "tcp://127.0.0.1:19"


def keys_by_mark(role: str, *, reloads: bool) -> list[Key]:
    return [key for key in keys_of(tables_of(role)).values() if key.reloads is reloads]


def with_value(data: Data, key: Key, value: Any) -> Data:
    changed = table = deepcopy(data)
    for name in key.path[:-1]:
        table = table.setdefault(name, {})
    table[key.path[-1]] = value
    return changed


@pytest.fixture
def say(tmp_path: Path) -> Any:
    """What a key is changed to, and how that is seen where it is not the same."""
    second, third = pem(tmp_path, "second"), jwks(tmp_path, "third")
    signing = private_pem(tmp_path, "signing")
    links = [{"region": "eu", "relays": [FAR]}]
    by_name: dict[str, tuple[Any, Any]] = {
        "tokens.secret": (NEXT, NEXT),
        "tokens.previous_secret": (NEXT, NEXT),
        "receipts.secret": (NEXT, NEXT),
        "receipts.previous_secret": (NEXT, NEXT),
        "tokens.key_files": ([second], ["", "", "second"]),
        "receipts.key_files": ([second], ["", "", "second"]),
        "tokens.jwks_file": (third, ["", "", "first", "third"]),
        "tokens.algorithms": (["EdDSA"], {"EdDSA"}),
        "tokens.issuers": (["https://a.example"], {"https://a.example"}),
        "gateway.api_keys_file": (api_keys(tmp_path, "key-1"), ["key-1"]),
        "mesh.relays": ([FAR], [FAR]),
        "auth.key_files": ([signing], ["signing"]),
        "auth.secret": (NEXT, NEXT),
        "trusted_proxies": (["10.0.0.0/8"], ["10.0.0.0/8"]),
        "relay.links": (links, links),
        "webhook.secret": (NEXT, NEXT),
        "provisioner.secret": (NEXT, NEXT),
        "log.level": ("error", "error"),
    }

    def found(key: Key, now: Any) -> tuple[Any, Any]:
        for name, values in by_name.items():
            if key.dotted.endswith(name):
                return values
        value = another(key, now)
        return value, value

    return found


def same(seen: Any, expected: Any) -> bool:
    """Also where a part has a tuple for a list, or several parts have the value."""
    if isinstance(seen, set | frozenset) and not isinstance(expected, set):
        return seen == (set(expected) if isinstance(expected, list) else {expected})
    if isinstance(expected, int | float):
        return bool(seen == pytest.approx(expected))
    return bool(list(seen) == expected if isinstance(seen, tuple) else seen == expected)


@pytest.mark.parametrize("role", ROLES)
async def test_a_running_node_goes_by_each_key_that_reloads(
    role: str, tmp_path: Path, shared_redis: RedisServer, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_of(role, tmp_path, shared_redis.url, f"sqlite:///{tmp_path}/im.db")
    said: list[NodeConfig] = []
    keys, wrong = keys_by_mark(role, reloads=True), {}
    with trio.fail_after(60), structlog.testing.capture_logs():
        async with RUNNING[role](config_of(role, data)) as service:
            reloading = Reloading(config_of(role, data), None, lambda: said[-1])
            for key in keys:
                value, expected = say(key, value_at(data, key.path) or key.default)
                said.append(config_of(role, with_value(data, key, value)))
                await reloading.reload(service)
                seen = gone_by(role, key.dotted, service)
                if reloading.refused or reloading.waiting or not same(seen, expected):
                    wrong[key.dotted] = (value, seen, reloading.refused, reloading.waiting)
    ops.logging.set_level("info")
    assert wrong == {}
    assert reloading.outcomes["taken_over"] == len(keys)


THREE = {"regions.names": ["local", "eu", "us"], "regions.im": "local"}
WITH_OTHERS: dict[str, Data] = {
    "node.region": {"node.region": "us", **THREE},
    "regions.names": THREE,
    "regions.im": {**THREE, "regions.im": "eu"},
    "regions.rooms": {**THREE, "regions.rooms": {"lobby": "eu"}},
    "access.workers": {"workers": 2, "edge.port": 7741},
    "im.in_flight_bytes": {"im.in_flight_bytes": 100_000},
    "auth.kind": {"auth.kind": "none"},
    "provisioner.pools": {"provisioner.pools": ["spare-1"]},
}
"""Keys that can't be changed alone, or to anything."""


def with_certificate(role: str, certs: Folder) -> Data:
    """What links with certificates take."""
    files, where = (
        certs.issue(role, f"{role}-1")._asdict(),
        "tls" if role == "relay" else "mesh.tls",
    )
    links = [{"region": "eu", "relays": [f"tls+{NOWHERE}"]}]
    relay = {"listen": f"tls+{RELAY}", "links": links}
    return {
        **{f"{where}.{name}": file for name, file in files.items()},
        **(relay if role == "relay" else {"mesh.relays": [f"tls+{NOWHERE}"]}),
    }


def with_another(role: str, data: Data, key: Key, certificate: str, certs: Folder) -> Data:
    """The config with another value of `key`, and what that takes."""
    more = {"edge.tls_cert": certificate, "edge.tls_key": certificate}
    others = next(
        (each for name, each in WITH_OTHERS.items() if key.dotted.endswith(name)),
        more if key.path[-1] in ("tls_cert", "tls_key") else None,
    )
    if key.path[-1] == "account_file":
        others = {"push.fcm.account_file": service_account(certs.path)}
    if key.path[-2] == "tls":
        others = with_certificate(role, certs)
    keys = keys_of(tables_of(role))
    if others is None:
        return with_value(data, key, another(key, value_at(data, key.path) or key.default))
    for name, value in others.items():
        path = tuple(name.split("."))
        data = with_value(data, keys[path if path in keys else (role, *path)], value)
    return data


@pytest.mark.parametrize("role", ROLES)
def test_each_other_key_is_named_as_waiting_for_a_restart(
    role: str, tmp_path: Path, certificate: str, certs: Folder
) -> None:
    data = data_of(role, tmp_path, "redis://127.0.0.1:9", "sqlite:///im.db")
    running, missed = config_of(role, data), {}
    for key in keys_by_mark(role, reloads=False):
        found = reload(running, config_of(role, with_another(role, data, key, certificate, certs)))
        if found.config != running or key.dotted not in found.waiting or found.taken:
            missed[key.dotted] = found
    assert missed == {}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(file)
    return str(file)


async def test_a_region_more_or_less_takes_a_restart_and_nothing_else_is_taken_over(
    tmp_path: Path,
) -> None:
    data = data_of("relay", tmp_path, "", "")
    fewer = config_of("relay", {"relay": {**data["relay"], "links": [], "stuck_s": 3.0}})
    async with RUNNING["relay"](config_of("relay", data)) as service:
        reloading = Reloading(config_of("relay", data), None, lambda: fewer)
        await reloading.reload(service)
        assert sorted(reloading.waiting) == ["relay.links", "relay.stuck_s"]
        assert reloading.config == config_of("relay", data)
        assert service._relay.seating.settings.stuck_s == 2.0
    assert reloading.outcomes["restart_needed"] == 1
