import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.client_requests import (
    IM_REQUESTS,
    OPS,
    Chat,
    Fetch,
    Gift,
    Hello,
    ImSpec,
    Join,
    JoinSpec,
    Leave,
    Like,
    Ping,
    Position,
    Refresh,
    Request,
    Speech,
    parse,
    parse_im,
    parse_publish,
    request_id,
)
from proto.errors import ErrorCode, RequestError
from proto.moderation import Action, Moderate
from proto.requests import contacts, devices, groups, messages
from proto.requests.fields import MAX_SEQ

GOOD: list[tuple[dict[str, Any], Request]] = [
    ({"op": "refresh", "token": "t"}, Refresh(id=1, token="t")),
    ({"op": "hello", "token": "t"}, Hello(id=1, token="t")),
    (
        {"op": "hello", "token": "t", "client": "c/1", "join": [{"room": "r", "history": 3}]},
        Hello(id=1, token="t", client="c/1", join=[JoinSpec(room="r", history=3)]),
    ),
    (
        {"op": "join", "room": "r", "since": {"bulk": {"epoch": "e", "seq": 4}}},
        Join(id=1, room="r", since={"bulk": Position("e", 4)}),
    ),
    ({"op": "leave", "room": "r"}, Leave(id=1, room="r")),
    ({"op": "chat", "room": "r", "text": "x"}, Chat(id=1, room="r", text="x")),
    (
        {"op": "speech", "room": "r", "text": "x", "mid": "m"},
        Speech(id=1, room="r", text="x", mid="m"),
    ),
    (
        {"op": "gift", "room": "r", "gift": "rose", "value": 0},
        Gift(id=1, room="r", gift="rose", value=0),
    ),
    ({"op": "like", "room": "r"}, Like(id=1, room="r", count=1)),
    (
        {"op": "fetch", "room": "r", "priority": "bulk", "epoch": "e", "from": 1, "to": 2},
        Fetch(id=1, room="r", priority="bulk", epoch="e", first_seq=1, last_seq=2),
    ),
    ({"op": "ping"}, Ping(id=1)),
    (
        {"op": "moderate", "room": "r", "action": "mute", "uid": "u", "for_s": 60, "reason": "x"},
        Moderate(id=1, room="r", action=Action.MUTE, uid="u", for_s=60, reason="x"),
    ),
    (
        {"op": "hello", "token": "t", "im": {"device": "d", "epoch": "e", "since": 0}},
        Hello(id=1, token="t", im=ImSpec(device="d", epoch="e", since=0)),
    ),
    (
        {"op": "send", "conv": "d:ann|bob", "mid": "m", "text": "x", "reply_to": 3},
        messages.Send(id=1, conv="d:ann|bob", mid="m", text="x", reply_to=3),
    ),
    (
        {
            "op": "send",
            "conv": "g:1",
            "mid": "m",
            "attachments": [{"url": "https://a/b"}],
            "mentions": ["u"],
        },
        messages.Send(
            id=1,
            conv="g:1",
            mid="m",
            attachments=[messages.Attachment(url="https://a/b")],
            mentions=["u"],
        ),
    ),
    ({"op": "recall", "conv": "g:1", "seq": 4}, messages.Recall(id=1, conv="g:1", seq=4)),
    ({"op": "read", "conv": "g:1", "seq": 4}, messages.Read(id=1, conv="g:1", seq=4)),
    ({"op": "typing", "conv": "g:1"}, messages.Typing(id=1, conv="g:1", on=True)),
    ({"op": "history", "conv": "s:u"}, messages.History(id=1, conv="s:u")),
    (
        {"op": "sync", "stream": "hot:g:1", "since": 0},
        messages.Sync(id=1, stream="hot:g:1", since=0),
    ),
    ({"op": "sessions"}, messages.Sessions(id=1)),
    (
        {"op": "session_set", "conv": "g:1", "pinned": True},
        messages.SessionSet(id=1, conv="g:1", pinned=True),
    ),
    ({"op": "friend_request", "uid": "u"}, contacts.FriendRequest(id=1, uid="u")),
    ({"op": "friend_accept", "uid": "u"}, contacts.FriendAccept(id=1, uid="u")),
    ({"op": "friend_decline", "uid": "u"}, contacts.FriendDecline(id=1, uid="u")),
    ({"op": "friend_remove", "uid": "u"}, contacts.FriendRemove(id=1, uid="u")),
    ({"op": "block", "uid": "u"}, contacts.Block(id=1, uid="u")),
    ({"op": "unblock", "uid": "u"}, contacts.Unblock(id=1, uid="u")),
    ({"op": "contacts"}, contacts.Contacts(id=1)),
    (
        {"op": "group_create", "mid": "m", "name": "n"},
        groups.GroupCreate(id=1, mid="m", name="n"),
    ),
    (
        {"op": "group_update", "conv": "g:1", "name": "n"},
        groups.GroupUpdate(id=1, conv="g:1", name="n"),
    ),
    (
        {"op": "group_invite", "conv": "g:1", "uids": ["u"]},
        groups.GroupInvite(id=1, conv="g:1", uids=["u"]),
    ),
    ({"op": "group_leave", "conv": "g:1"}, groups.GroupLeave(id=1, conv="g:1")),
    (
        {"op": "group_kick", "conv": "g:1", "uids": ["u"]},
        groups.GroupKick(id=1, conv="g:1", uids=["u"]),
    ),
    (
        {"op": "group_role", "conv": "g:1", "uid": "u", "role": "admin"},
        groups.GroupRole(id=1, conv="g:1", uid="u", role="admin"),
    ),
    (
        {"op": "group_mute", "conv": "g:1", "for_s": 60},
        groups.GroupMute(id=1, conv="g:1", for_s=60),
    ),
    (
        {"op": "group_transfer", "conv": "g:1", "uid": "u"},
        groups.GroupTransfer(id=1, conv="g:1", uid="u"),
    ),
    ({"op": "group_dissolve", "conv": "g:1"}, groups.GroupDissolve(id=1, conv="g:1")),
    ({"op": "group_info", "conv": "g:1"}, groups.GroupInfo(id=1, conv="g:1")),
    ({"op": "group_members", "conv": "g:1"}, groups.GroupMembers(id=1, conv="g:1")),
    (
        {"op": "group_tag", "conv": "g:1", "hot": True},
        groups.GroupTag(id=1, conv="g:1", hot=True),
    ),
    (
        {"op": "device_set", "provider": "fcm", "token": "t"},
        devices.DeviceSet(id=1, provider="fcm", token="t"),
    ),
    ({"op": "device_remove"}, devices.DeviceRemove(id=1)),
    ({"op": "watch", "uids": []}, devices.Watch(id=1, uids=[])),
]
REQUIRED = {
    "hello": ["token"],
    "refresh": ["token"],
    "join": ["room"],
    "leave": ["room"],
    "chat": ["room", "text"],
    "speech": ["room", "text"],
    "gift": ["room", "gift", "value"],
    "like": ["room"],
    "fetch": ["room", "priority", "epoch", "from", "to"],
    "ping": [],
    "moderate": ["room", "action"],
    "send": ["conv", "mid"],
    "recall": ["conv", "seq"],
    "read": ["conv", "seq"],
    "typing": ["conv"],
    "history": ["conv"],
    "sync": ["stream", "since"],
    "sessions": [],
    "session_set": ["conv"],
    "friend_request": ["uid"],
    "friend_accept": ["uid"],
    "friend_decline": ["uid"],
    "friend_remove": ["uid"],
    "block": ["uid"],
    "unblock": ["uid"],
    "contacts": [],
    "group_create": ["mid", "name"],
    "group_update": ["conv", "name"],
    "group_invite": ["conv", "uids"],
    "group_leave": ["conv"],
    "group_kick": ["conv", "uids"],
    "group_role": ["conv", "uid", "role"],
    "group_mute": ["conv", "for_s"],
    "group_transfer": ["conv", "uid"],
    "group_dissolve": ["conv"],
    "group_info": ["conv"],
    "group_members": ["conv"],
    "group_tag": ["conv", "hot"],
    "device_set": ["provider", "token"],
    "device_remove": [],
    "watch": ["uids"],
}
WRONG: list[tuple[str, str, Any]] = [
    ("hello", "token", ""),
    ("hello", "token", "x" * 4097),
    ("hello", "client", "x" * 65),
    ("hello", "join", [{"room": "r"}] * 21),
    ("join", "room", ""),
    ("join", "room", "a/b"),
    ("join", "room", "x" * 65),
    ("join", "room", None),
    ("join", "history", -1),
    ("join", "history", 101),
    ("chat", "text", "x" * 2001),
    ("chat", "mid", "x" * 65),
    ("chat", "mid", "a\n"),
    ("speech", "text", ["x"]),
    ("gift", "value", 1_000_001),
    ("gift", "value", True),
    ("gift", "count", 0),
    ("gift", "count", 1001),
    ("gift", "gift", "a rose"),
    ("gift", "receipt", "x" * 4097),
    ("moderate", "action", "shout"),
    ("moderate", "uid", "a b"),
    ("moderate", "for_s", -1),
    ("moderate", "for_s", 365 * 24 * 3600 + 1),
    ("moderate", "interval_s", 0),
    ("moderate", "interval_s", 3601),
    ("moderate", "role", "server"),
    ("moderate", "reason", "x" * 201),
    ("like", "count", 0),
    ("like", "count", -1),
    ("like", "count", 10**12),
    ("fetch", "priority", "loud"),
    ("fetch", "from", -1),
    ("fetch", "to", MAX_SEQ + 1),
    ("fetch", "epoch", "x" * 33),
    ("send", "conv", "x:ann"),
    ("send", "conv", "d:ann"),
    ("send", "conv", "g:"),
    ("send", "conv", "d:ann|bob\n"),
    ("send", "mid", ""),
    ("send", "text", "x" * 4001),
    ("send", "mentions", ["u"] * 51),
    ("send", "attachments", [{"url": "https://a"}] * 11),
    ("send", "reply_to", -1),
    ("send", "mention_all", 1),
    ("recall", "seq", -1),
    ("read", "seq", MAX_SEQ + 1),
    ("typing", "on", "yes"),
    ("history", "limit", 0),
    ("history", "limit", 101),
    ("history", "before", -1),
    ("sync", "stream", "bulk"),
    ("sync", "stream", "hot:d:a|b"),
    ("sync", "limit", 201),
    ("sessions", "limit", 101),
    ("sessions", "cursor", "x" * 257),
    ("session_set", "muted", 1),
    ("friend_request", "uid", "a b"),
    ("friend_request", "text", "x" * 201),
    ("contacts", "limit", 201),
    ("group_create", "name", ""),
    ("group_create", "name", "x" * 101),
    ("group_create", "members", ["u"] * 201),
    ("group_invite", "conv", "d:a|b"),
    ("group_invite", "uids", []),
    ("group_kick", "uids", ["u"] * 201),
    ("group_role", "role", "owner"),
    ("group_mute", "for_s", -1),
    ("group_mute", "for_s", 366 * 86_400 + 1),
    ("group_members", "limit", 501),
    ("device_set", "provider", "pigeon"),
    ("device_set", "token", ""),
    ("device_set", "token", "x" * 513),
    ("device_remove", "device", "my phone"),
    ("watch", "uids", ["u"] * 201),
]
DEEPER: list[tuple[str, str, Any, str]] = [
    ("hello", "im", {"device": "my phone"}, "im.device"),
    ("hello", "im", {"device": "d", "since": -1}, "im.since"),
    ("hello", "im", {"device": "d", "hot": {"g:1": -1}}, "im.hot[...]"),
    ("hello", "im", {"device": "d", "hto": {}}, "im.hto"),
    ("hello", "im", {}, "im.device"),
    ("send", "attachments", [{"url": "https://a"}, {"url": "ftp://a"}], "attachments[1].url"),
    ("send", "attachments", [{"name": "x"}], "attachments[0].url"),
    ("send", "attachments", [{"url": "https://a", "size": 1}], "attachments[0].size"),
    ("send", "attachments", [{"url": "https://a", "size_bytes": -1}], "attachments[0].size_bytes"),
    ("send", "attachments", [{"url": "https://a", "sha256": "xyz"}], "attachments[0].sha256"),
    ("send", "mentions", ["ok", "not ok"], "mentions[1]"),
    ("group_invite", "uids", ["u", 7], "uids[1]"),
    ("watch", "uids", ["u", ""], "uids[1]"),
]
ACK: dict[str, Any] = {"op": "ack", "stream": "mailbox", "n": 5}


def example(op: str) -> dict[str, Any]:
    return next({"id": 1, **fields} for fields, _ in GOOD if fields["op"] == op)


def error_of(frame: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse(json.dumps(frame).encode())
    return caught.value


@pytest.mark.parametrize(("fields", "expected"), GOOD)
def test_good_requests_are_read(fields: dict[str, Any], expected: Request) -> None:
    assert parse(json.dumps({"id": 1, **fields}).encode()) == expected


@pytest.mark.parametrize(("op", "field"), [(op, f) for op, fs in REQUIRED.items() for f in fs])
def test_a_missing_field_is_named(op: str, field: str) -> None:
    frame = example(op)
    del frame[field]
    error = error_of(frame)
    assert (error.body.code, error.body.field) == (ErrorCode.BAD_FRAME, field)


@pytest.mark.parametrize("op", REQUIRED)
def test_a_missing_id_and_an_unknown_field_are_named(op: str) -> None:
    frame = example(op)
    assert error_of({**frame, "sudo": 1}).body.field == "sudo"
    del frame["id"]
    assert error_of(frame).body.field == "id"


@pytest.mark.parametrize(("op", "field", "value"), WRONG)
def test_a_wrong_value_is_named(op: str, field: str, value: object) -> None:
    body = error_of({**example(op), field: value}).body
    assert (body.code, body.field) == (ErrorCode.BAD_FRAME, field)
    assert body.message.startswith(f"{field}: ")


def test_a_field_inside_a_list_is_named_with_its_path() -> None:
    specs = [{"room": "a"}, {"room": "b", "histroy": 1}]
    body = error_of({**example("hello"), "join": specs}).body
    assert body.field == "join[1].histroy"


@pytest.mark.parametrize(("op", "field", "value", "path"), DEEPER)
def test_what_lies_deeper_is_named_with_its_path(
    op: str, field: str, value: object, path: str
) -> None:
    body = error_of({**example(op), field: value}).body
    assert (body.code, body.field) == (ErrorCode.BAD_FRAME, path)


def test_every_op_has_an_example() -> None:
    assert {fields["op"] for fields, _ in GOOD} | {"ack"} == OPS == REQUIRED.keys() | {"ack"}


def test_an_acknowledgement_has_no_id() -> None:
    expected = messages.Ack(stream="mailbox", n=5, also=[(7, 8)])
    assert parse(json.dumps({**ACK, "also": [[7, 8]]}).encode()) == expected
    assert error_of({**ACK, "id": 1}).body.field == "id"


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("stream", "room", "stream"),
        ("n", -1, "n"),
        ("also", [[1, 2]] * 33, "also"),
        ("also", [[1, 2], [3]], "also[1]"),
        ("also", [[1, 2], [3, -1]], "also[1][1]"),
    ],
)
def test_a_wrong_acknowledgement_names_the_field(field: str, value: object, path: str) -> None:
    assert error_of({**ACK, field: value}).body.field == path


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b'{"op":"ping","id":1}x', b"[" * 100_000, b"null", b"[{}]", b'"x"']
)
def test_what_is_no_json_object_says_so(text: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        parse(text)
    assert caught.value.body.code is ErrorCode.BAD_JSON


def test_an_unknown_op_is_told_with_those_that_there_are() -> None:
    body = error_of({"op": "dance", "id": 1}).body
    assert body.code is ErrorCode.UNKNOWN_OP
    assert "chat" in body.message


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_no_json_value_does_more_than_be_refused(value: object) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    with pytest.raises(RequestError):
        parse(text)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(text: bytes) -> None:
    with pytest.raises(RequestError):
        parse(text)
    request_id(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"id":7,"op":"nonsense"}', 7),
        (b'{"op":1,"id":0}', 0),
        (b'{"id":-1}', None),
        (b'{"id":"7"}', None),
        (b'{"id":9007199254740992}', None),
        (b"{}", None),
        (b"[]", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_id_of_a_bad_frame_is_found_where_there_is_one(
    text: bytes, expected: int | None
) -> None:
    assert request_id(text) == expected


def test_logic_reads_what_becomes_a_message_and_nothing_else() -> None:
    assert isinstance(parse_publish(b'{"op":"chat","id":1,"room":"r","text":"x"}'), Chat)
    for bad in (b'{"op":"ping","id":1}', b"", b"\xff", b'{"x":' + b"[" * 5000):
        for parse_for_logic in (parse_publish, parse_im):
            with pytest.raises(RequestError) as caught:
                parse_for_logic(bad)
            assert caught.value.body.code is ErrorCode.BAD_FRAME


@pytest.mark.parametrize(("fields", "expected"), GOOD)
def test_logic_reads_instant_messages_and_nothing_else(
    fields: dict[str, Any], expected: Request
) -> None:
    text = json.dumps({"id": 1, **fields}).encode()
    if isinstance(expected, IM_REQUESTS):
        assert parse_im(text) == expected
        return
    with pytest.raises(RequestError) as caught:
        parse_im(text)
    assert caught.value.body.code is ErrorCode.BAD_FRAME
