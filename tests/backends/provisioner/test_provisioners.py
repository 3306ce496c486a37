"""One suite over all: what a router relies on, whoever makes the pools."""

import pytest

from backends.leases.memory import MemoryDuties
from backends.provisioner.connect import open_provisioner
from backends.provisioner.interface import ProvisionerError
from backends.provisioner.memory import MemoryPools
from backends.provisioner.settings import ProvisionerSettings
from proto.ids import is_pool
from tests.backends.provisioner.conftest import NOW_S, nothing_in_use, webhook_settings


@pytest.fixture(params=["memory", "static", "webhook"])
async def pools(request):
    if request.param == "memory":
        yield MemoryPools(most=5)
        return
    settings = (
        ProvisionerSettings(kind="static", pools=("spare-1", "spare-2"))
        if request.param == "static"
        else webhook_settings(request.getfixturevalue("scaler").url)
    )
    duties = MemoryDuties(lambda: NOW_S)
    async with open_provisioner(settings, nothing_in_use, duties, lambda: NOW_S) as opened:
        yield opened


async def test_a_room_gets_a_pool_and_keeps_it(pools):
    pool = await pools.provide("big-show", "", 2)
    assert is_pool(pool)
    assert await pools.provide("big-show", pool, 3) == pool
    # Asked again by a router that has not seen the answer.
    assert await pools.provide("big-show", "", 2) == pool


async def test_two_rooms_get_two_pools(pools):
    assert await pools.provide("a", "", 1) != await pools.provide("b", "", 1)


async def test_a_pool_is_released_twice_and_had_again(pools):
    pool = await pools.provide("big-show", "", 5)
    await pools.release("show", pool)
    await pools.release("show", pool)
    assert await pools.provide("big-show", "", 5) == pool


async def test_a_pool_that_nobody_knows_is_released(pools):
    await pools.release("", "hot-00000000")


@pytest.mark.parametrize("pools", ["memory", "webhook"], indirect=True)
async def test_more_than_there_is_is_refused(pools):
    with pytest.raises(ProvisionerError, match=r"\d"):
        await pools.provide("big-show", "", 6)


async def test_without_a_kind_there_is_none():
    duties = MemoryDuties(lambda: NOW_S)
    settings = ProvisionerSettings()
    async with open_provisioner(settings, nothing_in_use, duties, lambda: NOW_S) as opened:
        assert opened is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "static"}, r"^pools: name at least one"),
        ({"kind": "static", "pools": ("a", "b", "a")}, r"^pools: a is named twice"),
        ({"kind": "webhook", "secret": "s" * 32}, r"^url: must be given"),
        (
            {"kind": "webhook", "url": "http://h:abc/", "secret": "s" * 32},
            r"^url: http://h:abc/ is",
        ),
        ({"kind": "webhook", "url": "http://h", "secret": "short"}, r"^secret: .* 32 bytes"),
    ],
)
def test_what_a_kind_lacks_is_named(fields, message):
    with pytest.raises(ValueError, match=message):
        ProvisionerSettings(**fields)
