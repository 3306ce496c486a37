"""Files that a config only names are read again with it, under the names that they had."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from ops.config.reloading import Reloading
from tests.conftest import RedisServer
from tests.ops.reload.files import pem, service_account
from tests.ops.reload.running import Data, config_of, data_of, process

DATABASE = "sqlite:///{}/im.db"


@pytest.fixture
def data_for(tmp_path: Path, shared_redis: RedisServer) -> Any:
    def data(role: str) -> Data:
        return data_of(role, tmp_path, shared_redis.url, DATABASE.format(tmp_path))

    return data


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "both.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(file)
    return file


def reloading(role: str, data: Data) -> Reloading:
    return Reloading(config_of(role, data), None, lambda: config_of(role, data))


async def test_a_key_file_with_another_key_is_taken_over_and_a_bad_one_is_not(
    data_for: Any, tmp_path: Path
) -> None:
    data = data_for("access")
    following = reloading("access", data)

    def key(service: Any) -> Any:
        return service.node.keyring.keys[-1].verifying.public_bytes_raw()

    async with process(following.config) as service:
        first = key(service)
        pem(tmp_path, "first")
        await following.reload(service)
        second = key(service)
        assert second != first
        (tmp_path / "first.pem").write_text("no key")
        await following.reload(service)
        assert key(service) == second
        assert "access.tokens.key_files" in following.refused
        assert str(tmp_path / "first.pem") in following.refused


async def test_a_certificate_is_loaded_again_and_with_a_bad_one_nothing_is_taken_over(
    data_for: Any, tmp_path: Path, certificate: Path
) -> None:
    data = data_for("access")
    data["access"]["edge"] |= {"tls_cert": str(certificate), "tls_key": str(certificate)}
    following = reloading("access", data)
    async with process(following.config) as service:
        loaded = service._renewal.current
        await following.reload(service)
        while service._renewal.current is loaded:
            await trio.sleep(0.001)
        certificate.write_text("")
        data["access"]["client"] = {"max_rooms": 3}
        await following.reload(service)
        assert "access.edge.tls_cert" in following.refused
        assert service.node.settings.client.max_rooms == 50


async def test_a_service_accounts_key_file_is_read_again(data_for: Any, tmp_path: Path) -> None:
    account_file = Path(service_account(tmp_path))
    data = data_for("logic")
    data["logic"]["push"]["fcm"] = {"account_file": str(account_file)}
    following = reloading("logic", data)
    async with process(following.config) as logic:
        account = json.loads(account_file.read_text())
        account_file.write_text(json.dumps(account | {"private_key_id": "k2"}))
        await following.reload(logic)
        assert logic._parts.providers["fcm"]._account.private_key_id == "k2"
        account_file.write_text("{}")
        await following.reload(logic)
        assert "logic.push.fcm.account_file" in following.refused
        assert logic._parts.providers["fcm"]._account.private_key_id == "k2"
