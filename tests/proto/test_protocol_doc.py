"""docs/protocol.md says what the catalogues say."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from proto import client_requests, close_codes, errors
from proto.client_requests import OP_OF, OPS, Request, parse
from proto.conversations import is_conversation
from proto.im_frames import MessageKind
from proto.requests import contacts, devices, groups, messages

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "protocol.md").read_text()
INSTANT = TEXT.split("## Instant messages")[1].split("## Staying connected")[0]


def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(heading: str) -> Iterator[list[str]]:
    """The rows of all tables that begin with `heading`, a cell each."""
    for table in re.findall(rf"^\| {heading} \|[^\n]*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE):
        for row in table.splitlines():
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def described() -> dict[str, str]:
    """Each op with the cell that describes its fields."""
    return {row[0].strip("`"): row[1] for row in rows("op")}


def test_the_tables_are_those_of_the_catalogues() -> None:
    assert tables().with_tables(TEXT) == TEXT, "run `PYTHONPATH=. python docs/tables.py`"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="errors"):
        tables().with_tables("# Nothing")


def test_every_code_has_an_entry() -> None:
    assert set(errors.CATALOGUE) == set(errors.ErrorCode)
    assert set(close_codes.CATALOGUE) == set(close_codes.CloseCode)


def test_every_op_is_described_once_and_no_other() -> None:
    ops = [row[0].strip("`") for row in rows("op")]
    assert sorted(ops) == sorted(OPS)


@pytest.mark.parametrize("request_type", OP_OF, ids=OP_OF.values())
def test_every_field_of_a_request_is_named(request_type: type[Request]) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(request_type)} - {"id"}
    cell = described()[OP_OF[request_type]]
    if cell.startswith("as `chat`"):
        cell = described()["chat"]
    assert fields <= set(re.findall(r"`(\w+)`", cell)), f"{OP_OF[request_type]}: {cell}"


def test_every_kind_of_message_is_described_and_no_other() -> None:
    kinds = {value for name, value in vars(MessageKind).items() if name.isupper()}
    assert {row[0].strip("`") for row in rows("kind")} == kinds


def test_the_limits_of_rooms_named_are_the_limits() -> None:
    assert f"(1–{client_requests.MAX_TEXT_CHARACTERS} characters)" in TEXT
    assert f"0–{client_requests.MAX_GIFT_VALUE:,}" in TEXT
    assert f"`count` (1–{client_requests.MAX_LIKES_PER_FRAME}" in TEXT
    assert f"list of ≤ {client_requests.MAX_ROOMS_PER_HELLO} " in TEXT
    assert f"`history`: 0–{client_requests.MAX_HISTORY}" in TEXT
    assert f"at most {client_requests.MAX_FETCH} numbers" in TEXT


@pytest.mark.parametrize(
    ("op", "limit"),
    [
        ("send", f"`text` (≤ {messages.MAX_MESSAGE_CHARACTERS} characters)"),
        ("send", f"≤ {messages.MAX_DATA_BYTES} bytes"),
        ("send", f"`attachments` (≤ {messages.MAX_ATTACHMENTS})"),
        ("send", f"`mentions` (≤ {messages.MAX_MENTIONS} uids)"),
        ("history", f"`limit` (1–{messages.MAX_HISTORY_PAGE}, default 50)"),
        ("sync", f"`limit` (1–{messages.MAX_SYNC_PAGE}, default {messages.MAX_SYNC_PAGE})"),
        ("sessions", f"`limit` (1–{messages.MAX_SESSIONS_PAGE}, default 50)"),
        ("ack", f"≤ {messages.MAX_ACK_RANGES} pairs"),
        ("contacts", f"`limit` (1–{contacts.MAX_CONTACTS_PAGE}, default 100)"),
        ("group_create", f"`members` (≤ {groups.MAX_UIDS_PER_REQUEST} friends)"),
        ("group_invite", f"`uids` (1–{groups.MAX_UIDS_PER_REQUEST} friends)"),
        ("group_members", f"`limit` (1–{groups.MAX_MEMBERS_PAGE}, default 100)"),
        ("watch", f"`uids` (≤ {devices.MAX_WATCHED})"),
    ],
)
def test_the_limits_of_instant_messages_named_are_the_limits(op: str, limit: str) -> None:
    assert limit in described()[op]


def test_the_limits_of_devices_named_are_the_limits() -> None:
    assert f"(≤ {client_requests.MAX_HOT_PER_HELLO})" in INSTANT
    assert f"at most {messages.MAX_ACK_RANGES})" in INSTANT


def test_the_conversations_of_the_document_are_conversations() -> None:
    found = set(re.findall(r'"conv": ?"([^"]+)"', TEXT))
    assert found
    assert all(map(is_conversation, found))


def test_the_requests_of_the_examples_are_requests() -> None:
    lines = re.findall(r"^    > (.*)$", TEXT, re.MULTILINE)
    assert len(lines) >= 2
    for line in lines:
        assert parse(line.encode())


def test_the_answers_of_the_examples_are_json_arrays_of_frames() -> None:
    for line in re.findall(r"^    < (.*)$", TEXT, re.MULTILINE):
        for frame in json.loads(line):
            assert ("reply" in frame) != ("push" in frame)
