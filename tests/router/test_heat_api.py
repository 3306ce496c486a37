from typing import Any

import httpx
import pytest

from backends.errors import StoreUnavailableError
from backends.heat.interface import Kept, Rules, Tag
from proto.errors import ErrorCode, RequestError
from proto.headers import HeadsHeader
from proto.heat import HeatState, Rule, Wish
from proto.services import encode
from router.heat.state import Heat, detail_of
from tests.router.gateway_parts import LEASES, Gateway, gateway, problem, token
from tests.router.parts import FixedHeat, lease

SERVER = token("server")
HOT = Rule("show", HeatState.HOT, 3, "hot-b", (5, 9, 4), 2000)
DEDICATED = (
    lease("access-7", pool="hot-b", connections=60),
    lease("access-8", pool="hot-b", connections=40),
    lease("access-9", pool="hot-c"),
)


def heads(it: Gateway, *seqs: int, online: int = 0) -> None:
    it.mesh.answer = lambda: encode(HeadsHeader("e", seqs or (0, 0, 0), 0, online))  # type: ignore[arg-type]


def nodes(response: httpx.Response) -> list[str]:
    return [each["node"] for each in response.json()["endpoints"]]


async def ask(it: Gateway, room: str = "show") -> httpx.Response:
    return await it.client.get(f"/v1/connect?room={room}", headers=token())


@pytest.mark.parametrize("state", [HeatState.MOVING, HeatState.HOT])
async def test_who_comes_for_a_hot_room_is_sent_to_its_pool(state: HeatState) -> None:
    rule = Rule("show", state, 3, "hot-b")
    async with gateway(*LEASES, *DEDICATED, heat=FixedHeat(rule)) as it:
        assert nodes(await ask(it)) == ["access-8", "access-7"]
        assert nodes(await ask(it, "lobby")) == ["access-2", "access-1"]
        assert nodes(await it.client.get("/v1/connect", headers=token())) == [
            "access-2",
            "access-1",
        ]


@pytest.mark.parametrize("state", [HeatState.NORMAL, HeatState.PREPARING, HeatState.COOLING])
async def test_in_all_other_states_ordinary_nodes_are_named(state: HeatState) -> None:
    rule = Rule("show", state, 3, "hot-b")
    async with gateway(*LEASES, *DEDICATED, heat=FixedHeat(rule)) as it:
        assert nodes(await ask(it)) == ["access-2", "access-1"]


async def test_without_a_ready_node_of_the_pool_ordinary_ones_are_named() -> None:
    away = (
        lease("access-7", pool="hot-b", ready=False),
        lease("access-8", pool="hot-b", draining=True),
    )
    async with gateway(*LEASES, *away, heat=FixedHeat(HOT)) as it:
        assert nodes(await ask(it)) == ["access-2", "access-1"]


async def test_while_all_of_the_pool_is_full_ordinary_nodes_are_named() -> None:
    full = (
        lease("access-7", pool="hot-b", connections=50, max_connections=50),
        lease("access-8", pool="hot-b", connections=51, max_connections=50),
    )
    async with gateway(*LEASES, *full, heat=FixedHeat(HOT)) as it:
        assert nodes(await ask(it)) == ["access-2", "access-1"]


async def test_dedicated_nodes_get_nobody_else_though_they_are_all_there_is() -> None:
    async with gateway(*DEDICATED, heat=FixedHeat(HOT)) as it:
        assert problem(await ask(it, "lobby")) == (503, "unavailable", "")


async def test_a_gateway_whose_lease_has_run_out_refuses_joins_of_rooms() -> None:
    async with gateway(*LEASES, heat=FixedHeat(HOT)) as it:
        it.rules.take(it.heat.current, asked_at_s=-1e9)
        refused = await ask(it, "lobby")
        assert problem(refused) == (503, "unavailable", "")
        assert refused.headers["retry-after"] == "1"
        assert (await it.client.get("/v1/connect", headers=token())).status_code == 200


async def test_status_shows_pools_and_hot_rooms() -> None:
    async with gateway(*LEASES, *DEDICATED, heat=FixedHeat(HOT)) as it:
        status = (await it.client.get("/v1/status")).json()
        assert status["hot_rooms"] == [
            {"room": "show", "state": "hot", "fence": 3, "pool": "hot-b"}
        ]
        assert status["pools"][0] == {"pool": "hot-b", "nodes": 2, "ready": 2, "connections": 100}


async def test_a_hot_rooms_heat_is_shown_with_all_that_bears_on_it() -> None:
    heat = FixedHeat(HOT, version=12)
    kept = Heat(pool="hot-b", nodes=3, failures=1, retry_s=4.04, trouble="PUT: answered 429")
    detail = detail_of(kept)
    heat.kept["show"] = Kept(HOT, 1_700_000_000_000, detail)
    heat.tagged["show"] = Tag("history", (1, 2, 3))
    heat.wished["show"] = Wish.HOT
    async with gateway(*LEASES, *DEDICATED, heat=heat) as it:
        heads(it, 7, 12, 4, online=90)
        seen = (await it.client.get("/v1/rooms/show/heat", headers=SERVER)).json()
        assert seen == {
            "room": "show",
            "state": "hot",
            "fence": 3,
            "pool": "hot-b",
            "since_ms": 1_700_000_000_000,
            "firsts": {"urgent": 5, "normal": 9, "bulk": 4},
            "spread_ms": 2000,
            "wish": "hot",
            "tag": "history",
            "hot_at_ms": [1, 2, 3],
            "online": 90,
            "nodes_wanted": 3,
            "nodes": [
                {"node": "access-7", "ready": True, "connections": 60},
                {"node": "access-8", "ready": True, "connections": 40},
            ],
            "failures": 1,
            "trouble": "PUT: answered 429",
            "retry_s": 4.0,
            "rules_version": 12,
            "gateways": {"router-1": 12},
        }


async def test_without_a_provisioner_a_room_says_that_there_are_no_nodes() -> None:
    async with gateway(*LEASES, provisioner="none") as it:
        heads(it, 0, 3, 0)
        seen = (await it.client.get("/v1/rooms/show/heat", headers=SERVER)).json()
        assert (seen["state"], seen["failures"]) == ("normal", 0)
        assert "router.provisioner.kind is `none`" in seen["trouble"]


async def test_a_room_that_was_never_hot_is_normal() -> None:
    async with gateway(*LEASES) as it:
        heads(it, 0, 3, 0)
        seen = (await it.client.get("/v1/rooms/show/heat", headers=SERVER)).json()
        assert (seen["state"], seen["fence"], seen["pool"], seen["nodes"]) == ("normal", 0, "", [])
        assert (seen["wish"], seen["tag"]) == ("auto", "")


@pytest.mark.parametrize(
    ("state", "has", "shown"),
    [
        (HeatState.PREPARING, "hot-b", "hot-b"),
        (HeatState.COOLING, "hot-b", "hot-b"),
        (HeatState.NORMAL, "hot-b", "hot-b"),
        (HeatState.NORMAL, "", ""),
    ],
)
async def test_a_pool_is_shown_from_its_start_until_it_is_released(
    state: HeatState, has: str, shown: str
) -> None:
    heat = FixedHeat()
    ruled = "" if state is HeatState.PREPARING else "hot-b"
    heat.kept["show"] = Kept(Rule("show", state, 4, ruled), 1, detail_of(Heat(pool=has)))
    async with gateway(*LEASES, *DEDICATED, heat=heat) as it:
        heads(it)
        seen = (await it.client.get("/v1/rooms/show/heat", headers=SERVER)).json()
        assert (seen["pool"], len(seen["nodes"])) == (shown, 2 if shown else 0)


async def test_with_logic_away_what_the_store_has_is_shown() -> None:
    def refuse() -> bytes:
        raise RequestError(ErrorCode.TIMEOUT)

    async with gateway(*LEASES) as it:
        it.mesh.answer = refuse
        seen = await it.client.get("/v1/rooms/show/heat", headers=SERVER)
        assert (seen.status_code, seen.json()["online"]) == (200, None)


@pytest.mark.parametrize("wish", list(Wish))
async def test_a_wish_is_kept_for_whichever_router_looks_after_the_room(wish: Wish) -> None:
    async with gateway(*LEASES) as it:
        heads(it, online=2)
        said = await it.push("/v1/rooms/show/heat", {"wish": wish.value})
        assert said.json() == {"room": "show", "wish": wish.value}
        assert it.heat.wished == {"show": wish}


async def test_a_room_of_which_nothing_is_known_is_not_found() -> None:
    async with gateway(*LEASES) as it:
        heads(it)
        shown = await it.client.get("/v1/rooms/nowhere/heat", headers=SERVER)
        wished = await it.push("/v1/rooms/nowhere/heat", {"wish": "hot"})
        assert problem(shown) == problem(wished) == (404, "not_found", "room")
        assert it.heat.wished == {}


async def test_a_room_may_be_tagged_before_it_is_live_and_its_history_stays() -> None:
    async with gateway(*LEASES) as it:
        heads(it)
        it.heat.tagged["show"] = Tag("", (5,))
        for room in ("show", "nowhere"):
            tagged = await it.client.put(f"/v1/rooms/{room}/tag", headers=SERVER)
            assert tagged.json() == {"room": room, "tag": "operator"}
        assert it.heat.tagged == {"show": Tag("operator", (5,)), "nowhere": Tag("operator")}
        assert (await it.client.get("/v1/rooms/nowhere/heat", headers=SERVER)).status_code == 200
        for _ in range(2):
            untagged = await it.client.delete("/v1/rooms/show/tag", headers=SERVER)
            assert untagged.json() == {"room": "show", "tag": ""}
        assert list(it.heat.tagged) == ["nowhere"]


REFUSED: dict[str, tuple[str, str, Any, tuple[int, str, str]]] = {
    "a bad room": ("GET", "/v1/rooms/a%20b/heat", None, (400, "bad_frame", "room")),
    "a bad room to tag": ("PUT", "/v1/rooms/a%20b/tag", None, (400, "bad_frame", "room")),
    "another region's room": ("GET", "/v1/rooms/faraway/heat", None, (404, "not_found", "room")),
    "no wish": ("POST", "/v1/rooms/show/heat", {}, (400, "bad_frame", "wish")),
    "an unknown wish": ("POST", "/v1/rooms/show/heat", {"wish": "x"}, (400, "bad_frame", "wish")),
    "more than a wish": (
        "POST",
        "/v1/rooms/show/heat",
        {"wish": "hot", "pool": "x"},
        (400, "bad_frame", "pool"),
    ),
    "another method": ("PATCH", "/v1/rooms/show/tag", None, (405, "unknown_op", "method")),
}


@pytest.mark.parametrize("name", list(REFUSED))
async def test_bad_input_is_refused_by_name(name: str) -> None:
    method, path, body, expected = REFUSED[name]
    async with gateway(*LEASES) as it:
        heads(it, online=2)
        response = await it.client.request(method, path, json=body, headers=SERVER)
        assert problem(response) == expected


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "heat"), ("POST", "heat"), ("PUT", "tag"), ("DELETE", "tag")]
)
async def test_only_servers_see_and_say(method: str, path: str) -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.request(
            method, f"/v1/rooms/show/{path}", json={"wish": "hot"}, headers=token()
        )
        assert problem(response) == (403, "forbidden", "authorization")


async def test_without_a_provisioner_no_room_can_be_wished_hot() -> None:
    async with gateway(*LEASES, provisioner="none") as it:
        heads(it, online=2)
        refused = await it.push("/v1/rooms/show/heat", {"wish": "hot"})
        assert problem(refused) == (503, "unavailable", "wish")
        assert (await it.push("/v1/rooms/show/heat", {"wish": "cool"})).status_code == 200


async def test_with_the_store_away_one_may_come_again() -> None:
    async with gateway(*LEASES) as it:
        it.heat.failure = StoreUnavailableError("away")
        for method, path in [("GET", "heat"), ("PUT", "tag"), ("DELETE", "tag")]:
            response = await it.client.request(method, f"/v1/rooms/show/{path}", headers=SERVER)
            assert problem(response) == (503, "unavailable", "")
            assert response.headers["retry-after"] == "1"


async def test_a_new_rule_is_gone_by_as_soon_as_it_is_read() -> None:
    async with gateway(*LEASES, *DEDICATED) as it:
        assert nodes(await ask(it)) == ["access-2", "access-1"]
        it.rules.take(Rules(2, {"show": HOT}), asked_at_s=1e12)
        assert nodes(await ask(it)) == ["access-8", "access-7"]
