"""The server API of a real cluster, as a back end uses it with an API key (docs/http-api.md)."""

import json
from typing import Any

import pytest
import trio

from tests.cluster.conftest import PATIENCE_S, Cluster
from tests.cluster.independent_client import RefusedError, connected, greeted


class BackEnd:
    """Calls the gateway with the key that the cluster was started with."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._key = (cluster.state_dir / "api-key").read_text().strip()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return the status and the JSON of the answer."""
        content = None if body is None else json.dumps(body).encode()
        status, answer = await self._cluster.http(
            method, path, content, Authorization=f"Bearer {self._key}", **headers
        )
        return status, json.loads(answer)


async def test_everybody_hears_a_broadcast_once_on_every_node(cluster: Cluster) -> None:
    back_end = BackEnd(cluster)
    async with (
        greeted(cluster.access[0], cluster.token("ann")) as ann,
        greeted(cluster.access[1], cluster.token("bob")) as bob,
    ):
        key = {"Idempotency-Key": "all-1"}
        answers = [
            await back_end.ask("POST", "/v1/broadcast", {"data": {"n": 1}}, **key) for _ in range(2)
        ]
        assert answers[0] == answers[1]
        status, first = answers[0]
        assert (status, set(first)) == (200, {"mid", "ts"})
        assert (await back_end.ask("POST", "/v1/broadcast", {"data": {"n": 2}}))[0] == 200
        for client in (ann, bob):
            await client.until(lambda client=client: len(client.of("direct")) >= 2)
            assert [push["data"] for push in client.of("direct")] == [{"n": 1}, {"n": 2}]


async def test_a_room_is_read_back_as_it_was_said(cluster: Cluster, room: str) -> None:
    back_end = BackEnd(cluster)
    async with greeted(cluster.access[0], cluster.token("ann"), room) as ann:
        for number in range(5):
            await ann.request("chat", room=room, text=str(number))
        status, page = await back_end.ask("GET", f"/v1/rooms/{room}/messages?limit=2")
        assert status == 200
        assert [each["text"] for each in page["messages"]] == ["3", "4"]
        assert (page["head"], page["next"]) == (5, None)
        texts, after = [], 0
        while after is not None:
            query = f"after={after}&epoch={page['epoch']}&limit=2"
            _, part = await back_end.ask("GET", f"/v1/rooms/{room}/messages?{query}")
            texts += [each["text"] for each in part["messages"]]
            after = part["next"]
        assert texts == ["0", "1", "2", "3", "4"]
        _, state = await back_end.ask("GET", f"/v1/rooms/{room}")
        assert (state["heads"]["normal"], state["epoch"]) == (5, page["epoch"])
        assert state["heat"] == "normal"


async def test_a_kick_closes_connections_on_all_nodes_and_nobody_elses(cluster: Cluster) -> None:
    back_end = BackEnd(cluster)
    async with (
        greeted(cluster.access[0], cluster.token("kicked")) as one,
        greeted(cluster.access[1], cluster.token("kicked")) as other,
        greeted(cluster.access[1], cluster.token("stays")) as stays,
    ):
        status, answer = await back_end.ask("POST", "/v1/users/kicked/kick", {"reason": "spam"})
        assert (status, answer["relays"] >= 1) == (200, True)
        assert await one.ended() == 4012
        assert await other.ended() == 4012
        await stays.request("ping")
        async with greeted(cluster.access[0], cluster.token("kicked")) as back:
            await back.request("ping")


async def test_presence_names_who_is_online(cluster: Cluster) -> None:
    back_end = BackEnd(cluster)
    async with connected(cluster.access[0]) as ann:
        im = {"device": "phone"}
        await ann.request("hello", token=cluster.token("present"), im=im)
        expected = {"present": "online", "nobody-at-all": "offline"}
        with trio.fail_after(PATIENCE_S):
            while True:
                status, answer = await back_end.ask("POST", "/v1/presence", {"uids": [*expected]})
                assert status == 200
                states = {each["uid"]: each["state"] for each in answer["users"]}
                if states == expected:
                    break
                # A cluster that has just started does not know yet who is offline.
                assert "unknown" in states.values()
                await trio.sleep(0.1)
        (device,) = answer["users"][0]["devices"]
        assert (device["device"], device["online"]) == ("phone", True)


async def test_a_batch_is_answered_call_by_call(cluster: Cluster, room: str) -> None:
    back_end = BackEnd(cluster)
    publish = {"method": "POST", "path": f"/v1/rooms/{room}/publish", "body": {"data": 1}}
    calls = [publish, publish | {"body": {}}, {"method": "GET", "path": f"/v1/rooms/{room}"}]
    batch = {"calls": calls, "order": "kept"}
    status, answer = await back_end.ask("POST", "/v1/batch", batch)
    assert status == 200
    assert [each["status"] for each in answer["answers"]] == [200, 400, 200]
    assert answer["answers"][1]["body"]["field"] == "data"
    assert answer["answers"][2]["body"]["heads"]["normal"] == 1


async def test_the_reference_is_served(cluster: Cluster) -> None:
    status, document = await cluster.http("GET", "/v1/openapi.json")
    assert (status, json.loads(document)["openapi"]) == (200, "3.1.0")
    status, page = await cluster.http("GET", "/docs")
    assert (status, b"publishToRoom" in page) == (200, True)


async def test_a_back_end_makes_a_group_and_speaks_in_it_and_to_users(cluster: Cluster) -> None:
    back_end = BackEnd(cluster)
    async with connected(cluster.access[0]) as ann, connected(cluster.access[1]) as bob:
        for client, uid in ((ann, "grouped-ann"), (bob, "grouped-bob")):
            im = {"device": "phone"}
            await client.request("hello", token=cluster.token(uid), im=im)
        body = {"owner": "grouped-ann", "name": "Team", "members": []}
        status, made = await back_end.ask("POST", "/v1/groups", body)
        assert status == 200
        path = f"/v1/groups/{made['conv']}"
        await back_end.ask("POST", f"{path}/invite", {"uids": ["grouped-bob"]})
        status, sent = await back_end.ask(
            "POST", f"{path}/messages", {"text": "welcome", "name": "Support"}
        )
        assert status == 200
        await back_end.ask("POST", "/v1/users/grouped-bob/messages", {"text": "for you"})
        for client in (ann, bob):
            await client.until(
                lambda client=client: "welcome" in [_text(push) for push in client.of("message")]
            )
        await bob.until(lambda: "for you" in [_text(push) for push in bob.of("message")])
        (welcome,) = [push for push in bob.of("message") if _text(push) == "welcome"]
        assert (welcome["conv"], welcome["seq"]) == (made["conv"], sent["seq"])
        assert (welcome["name"], welcome["uid"]) == ("Support", "api-key:local")
        _, page = await back_end.ask("GET", f"{path}/members")
        assert [each["uid"] for each in page["members"]] == ["grouped-ann", "grouped-bob"]


def _text(push: Any) -> str:
    return str(push["body"].get("text", ""))


async def test_a_back_end_mutes_in_a_room_and_sees_that_it_holds(
    cluster: Cluster, room: str
) -> None:
    back_end, path = BackEnd(cluster), f"/v1/rooms/{room}/moderation"
    async with greeted(cluster.access[0], cluster.token("muted"), room) as ann:
        body = {"action": "mute", "uid": "muted", "for_s": 60}
        assert (await back_end.ask("POST", path, body))[0] == 200
        with pytest.raises(RefusedError) as refused:
            await ann.request("chat", room=room, text="hi")
        assert refused.value.code == "muted"
        status, state = await back_end.ask("GET", path)
        assert (status, [each["uid"] for each in state["entries"]]) == (200, ["muted"])
        assert (await back_end.ask("POST", path, {"action": "unmute", "uid": "muted"}))[0] == 200
        await ann.request("chat", room=room, text="hi")
