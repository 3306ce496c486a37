import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.packs import (
    MAX_PACK_BYTES,
    RecordTooLargeError,
    UnreadablePackError,
    pack,
    read_headers,
    unpack,
)
from proto.records import MAX_RECORD_BODY_BYTES, MAX_UIDS_PER_RECORD, Record, RecordHeader

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
headers = st.builds(
    RecordHeader,
    id=text,
    kind=st.sampled_from(["room", "users", "likes"]),
    ts_ms=st.integers(0, 2**53),
    room=text,
    priority=text,
    epoch=text,
    seq=st.integers(0, 2**53),
    uids=st.lists(text, max_size=3).map(tuple),
)
bodies = st.one_of(st.binary(max_size=200), text.map(str.encode), st.just(bytes(60_000)))
records = st.lists(st.builds(Record, headers, bodies), max_size=6)


def record(body: bytes, record_id: str = "r", **fields) -> Record:
    return Record(RecordHeader(id=record_id, kind="room", ts_ms=1, **fields), body)


@given(records)
def test_what_is_packed_comes_out_in_order(given_records):
    packs = pack(given_records)
    assert [one for body in packs for one in unpack(body)] == given_records
    assert [h for body in packs for h in read_headers(body)] == [r.header for r in given_records]


@given(records)
def test_a_pack_is_bounded_text_without_nul(given_records):
    for body in pack(given_records):
        assert len(body) <= MAX_PACK_BYTES
        assert 0 not in body
        body.decode()


@given(records.filter(bool), st.data())
def test_a_cut_pack_is_unreadable(given_records, data):
    body = pack(given_records)[0]
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(UnreadablePackError):
        unpack(body[:cut])


@given(st.binary(max_size=200))
def test_anything_else_is_unreadable(body):
    with pytest.raises(UnreadablePackError):
        unpack(body)
    with pytest.raises(UnreadablePackError):
        read_headers(b"relaymesh pack 1\n" + body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "does not start"),
        (b"relaymesh pack 2\n[]\n", "does not start"),
        (b"relaymesh pack 1\n[]", "do not end"),
        (b"relaymesh pack 1\n{}\n", "can't be read"),
        (b'relaymesh pack 1\n[[{"id":"r"},0,"t"]]\n', "kind"),
        (b'relaymesh pack 1\n[[{"id":"r","kind":"room","ts_ms":1},-1,"t"]]\n', ">= 0"),
        (b'relaymesh pack 1\n[[{"id":"r","kind":"room","ts_ms":1},1,"t"]]\n', "promises 1"),
        (b'relaymesh pack 1\n[[{"id":"r","kind":"room","ts_ms":1},1,"b"]]\n?', "base64"),
        (b"relaymesh pack 1\n\xff\n", "can't be read"),
    ],
)
def test_the_error_says_what_is_wrong(body, why):
    with pytest.raises(UnreadablePackError, match=why):
        unpack(body)


def test_text_stands_as_it_is():
    assert pack([record("grüße".encode())])[0].endswith("grüße".encode())


def test_the_largest_permitted_record_fits():
    uids = tuple(f"user-{n:024}" for n in range(MAX_UIDS_PER_RECORD))
    largest = record(bytes(MAX_RECORD_BODY_BYTES), uids=uids)
    assert unpack(pack([largest])[0]) == [largest]


def test_a_record_that_fits_no_pack_is_named():
    with pytest.raises(RecordTooLargeError, match="'huge'"):
        pack([record(bytes(MAX_PACK_BYTES), "huge")])


def test_many_small_records_share_a_pack():
    assert len(pack([record(b"x" * 200, str(n)) for n in range(100)])) == 1


def test_a_list_of_receivers_that_was_cut_up_is_not_joined_for_one_consumer():
    uids = tuple(f"u{n}" for n in range(MAX_UIDS_PER_RECORD))
    tasks = [record(b"x", str(n), uids=uids) for n in range(3)]
    assert len(pack(tasks)) == 3
    assert len(pack([record(b"x", str(n), uids=("ann",)) for n in range(300)])) == 1
