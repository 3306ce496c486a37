import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.envelopes import (
    BATCH_START,
    MAX_ENVELOPE_BYTES,
    MAX_HEADER_BYTES,
    MAX_KEY_BYTES,
    PREFIX_BYTES,
    BadEnvelopeError,
    Kind,
    encode,
    split,
)
from proto.priorities import Priority

PARTS = st.tuples(
    st.sampled_from(Kind),
    st.sampled_from(Priority),
    st.binary(max_size=MAX_KEY_BYTES),
    st.binary(max_size=500),
    st.binary(max_size=500),
)


@given(st.lists(PARTS, max_size=8))
def test_what_was_joined_is_split_again(
    parts: list[tuple[Kind, Priority, bytes, bytes, bytes]],
) -> None:
    raws = [encode(*each) for each in parts]
    envelopes = list(split(BATCH_START + b"".join(raws)))
    assert [(e.kind, e.priority, e.key, e.header, e.body) for e in envelopes] == parts
    assert [envelope.raw for envelope in envelopes] == raws


@given(st.lists(PARTS, min_size=1, max_size=3), st.data())
def test_a_batch_that_was_cut_is_refused_and_never_misread(
    parts: list[tuple[Kind, Priority, bytes, bytes, bytes]], data: st.DataObject
) -> None:
    raws = [encode(*each) for each in parts]
    whole = BATCH_START + b"".join(raws)
    cut = data.draw(st.integers(0, len(whole) - 1))
    got = []
    ends = {2}
    for raw in raws:
        ends.add(max(ends) + len(raw))
    if cut in ends:
        assert all(e.raw in raws for e in split(whole[:cut]))
        return
    with pytest.raises(BadEnvelopeError):
        got.extend(split(whole[:cut]))


@given(st.binary(max_size=100))
def test_any_bytes_are_split_or_refused(rest: bytes) -> None:
    for batch in (rest, BATCH_START + rest):
        try:
            assert sum(len(e.raw) for e in split(batch)) == len(batch) - 2
        except BadEnvelopeError as error:
            assert str(error)


def test_an_empty_batch_has_no_envelopes() -> None:
    assert list(split(BATCH_START)) == []


@pytest.mark.parametrize("batch", [b"", b"R", b"R\x02", b"X\x01"])
def test_another_version_or_a_stranger_is_refused(batch: bytes) -> None:
    with pytest.raises(BadEnvelopeError, match="version 1"):
        list(split(batch))


def test_lengths_that_do_not_fit_are_refused() -> None:
    raw = bytearray(encode(Kind.ROOM, Priority.BULK, b"key", b"head", b"body"))
    raw[6:8] = b"\xff\xff"
    with pytest.raises(BadEnvelopeError, match="do not fit"):
        list(split(BATCH_START + bytes(raw)))


def test_a_length_shorter_than_a_prefix_is_refused() -> None:
    raw = b"\0\0\0\0" + bytes(PREFIX_BYTES - 4)
    with pytest.raises(BadEnvelopeError):
        list(split(BATCH_START + raw))


@pytest.mark.parametrize(
    ("key", "header", "body"),
    [
        (bytes(MAX_KEY_BYTES + 1), b"", b""),
        (b"", bytes(MAX_HEADER_BYTES + 1), b""),
        (b"", b"", bytes(MAX_ENVELOPE_BYTES)),
    ],
)
def test_parts_over_their_limit_are_refused_when_they_are_made(
    key: bytes, header: bytes, body: bytes
) -> None:
    with pytest.raises(BadEnvelopeError):
        encode(Kind.ROOM, Priority.NORMAL, key, header, body)
