"""What the reader makes of frames, one kind at a time."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, TextMessage

from access.edge.frames import encode_close, encode_pong, encode_text, frame_bytes, unmask
from access.edge.reading.fallback import Binary, Failed, PeerClosed, Pinged
from access.edge.reading.reader import Reader
from tests.access.edge.client_frames import LIMIT, deflated, frame, read


def test_usual_frames_are_read_without_wsproto() -> None:
    reader = Reader(LIMIT)
    texts = [b"", b"[1]", '["é"]'.encode(), b"x" * 125, b"y" * 126, b"z" * LIMIT]
    assert reader.feed(b"".join(map(frame, texts))) == texts
    pongs = frame(b"", 0x8A) + frame(b"x" * 125, 0x8A)
    assert read(frame(b"a") + pongs + frame(b"b"), list(range(1, 150, 7))) == [b"a", b"b"]
    assert reader.feed(pongs) == []
    assert reader.fallbacks == 0


def test_after_an_unusual_frame_the_short_way_is_taken_again() -> None:
    reader = Reader(LIMIT)
    heard = reader.feed(frame(b"a") + frame(b"?", 0x89) + frame(b"b") + frame(b"c"))
    assert heard == [b"a", Pinged(b"?"), b"b", b"c"]
    assert reader.fallbacks == 1
    assert reader.feed(frame(b"d")) == [b"d"]
    assert reader.fallbacks == 1


def test_a_fragmented_message_with_a_ping_inside_is_joined() -> None:
    data = frame(b"[1", 0x01) + frame(b"!", 0x89) + frame(b",2", 0x00) + frame(b"]", 0x80)
    assert read(data + frame(b"[3]")) == [Pinged(b"!"), b"[1,2]", b"[3]"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"\xff"), 1007),
        (frame(b"\xc3", 0x01) + frame(b"x", 0x80), 1007),
        (frame(b"x" * (LIMIT + 1)), 1009),
        (frame(b"x" * LIMIT, 0x01) + frame(b"y", 0x80), 1009),
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big"), 1009),
        (b"\x81\xfe" + LIMIT.to_bytes(2, "big")[:1] + b"\xff", 1009),
        (b"\x81\xff" + (1 << 63).to_bytes(8, "big"), 1002),
        (frame(b"x", width=2), 1002),
        (frame(b"x" * 200, width=8), 1002),
        (frame(b"x", masked=False), 1002),
        (frame(b"x", 0xC1), 1002),
        (frame(b"x", 0x83), 1002),
        (frame(b"x", 0x80), 1002),
        (frame(b"x", 0x01) + frame(b"y"), 1002),
        (frame(b"x" * 126, 0x89), 1002),
        (frame(b"x", 0x09), 1002),
        (frame(b"x", 0x88), 1002),
        (frame((999).to_bytes(2, "big"), 0x88), 1002),
        (frame((1005).to_bytes(2, "big"), 0x88), 1002),
        (frame((1000).to_bytes(2, "big") + b"\xff", 0x88), 1007),
    ],
)
def test_a_bad_frame_fails_with_its_code_and_ends_the_reading(data: bytes, code: int) -> None:
    heard = read(frame(b"before") + data + frame(b"after"))
    assert heard[0] == b"before"
    assert isinstance(heard[1], Failed)
    assert (heard[1].code, len(heard)) == (code, 2)


def test_a_binary_message_is_told_apart() -> None:
    data = frame(b"\xff", 0x02) + frame(b"\xfe", 0x80) + frame(b"[1]")
    assert read(data) == [Binary(b"\xff\xfe"), b"[1]"]


@pytest.mark.parametrize(("payload", "code"), [(b"", 1005), (b"\x03\xe8bye", 1000)])
def test_a_close_frame_ends_the_reading(payload: bytes, code: int) -> None:
    assert read(frame(payload, 0x88) + frame(b"after")) == [PeerClosed(code)]


@given(st.binary(max_size=600), st.binary(min_size=4, max_size=4))
def test_unmasking_twice_changes_nothing(payload: bytes, key: bytes) -> None:
    masked = unmask(payload, key)
    assert masked == bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    assert unmask(masked, key) == payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_a_client_library_reads_what_is_encoded(size: int) -> None:
    client = Connection(ConnectionType.CLIENT)
    encoded = encode_text(b"x" * size)
    assert frame_bytes(encoded[:10]) == len(encoded)
    client.receive_data(encoded + encode_pong(b"?") + encode_close(4008, "é" * 100))
    events = list(client.events())
    assert "".join(e.data for e in events if isinstance(e, TextMessage)) == "x" * size
    assert isinstance(events[-1], CloseConnection)
    assert (events[-1].code, events[-1].reason) == (4008, "é" * 61)


def test_a_whole_compressed_frame_is_read_without_wsproto() -> None:
    reader = Reader(LIMIT, inflates=True)
    texts = [b"", b"[1]", '["é"]'.encode(), b"x" * LIMIT]
    data = b"".join(frame(deflated(text), 0xC1) for text in texts) + frame(b"plain")
    assert reader.feed(data) == [*texts, b"plain"]
    assert reader.fallbacks == 0


def test_fragments_of_a_compressed_message_are_joined_with_a_ping_between() -> None:
    payload = deflated(b"[1, 2, 3]")
    data = frame(payload[:3], 0x41) + frame(b"!", 0x89) + frame(payload[3:], 0x80)
    assert read(data + frame(b"[4]"), inflates=True) == [Pinged(b"!"), b"[1, 2, 3]", b"[4]"]


def test_a_compressed_binary_message_is_inflated() -> None:
    assert read(frame(deflated(b"\xff"), 0xC2), inflates=True) == [Binary(b"\xff")]


def test_a_block_that_calls_itself_the_last_is_read() -> None:
    example_of_rfc_7692 = bytes.fromhex("f348cdc9c90700 00")
    assert read(frame(example_of_rfc_7692, 0xC1), inflates=True) == [b"Hello"]


BOMB = deflated(bytes(64 * LIMIT))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(deflated(b"x" * (LIMIT + 1)), 0xC1), 1009),
        (frame(BOMB, 0xC1), 1009),
        (frame(BOMB[:5], 0x41) + frame(BOMB[5:], 0x80), 1009),
        (frame(deflated(random.Random(1).randbytes(2 * LIMIT)), 0xC1), 1009),
        (b"\xc1\xff" + (1 << 40).to_bytes(8, "big"), 1009),
        (frame(b"\xff\xff\xff", 0xC1), 1007),
        (frame(deflated(b"\xff"), 0xC1), 1007),
        (frame(bytes.fromhex("f348cdc9c90700 00") + b"more", 0xC1), 1007),
        (frame(deflated(b"x")[:1], 0x41) + frame(deflated(b"x")[1:], 0xC0), 1002),
        (frame(b"", 0xC9), 1002),
        (frame(deflated(b"x"), 0xE1), 1002),
        (frame(deflated(b"x"), 0xC1, masked=False), 1002),
    ],
)
def test_a_bad_compressed_frame_fails_with_its_code(data: bytes, code: int) -> None:
    heard = read(frame(b"before") + data + frame(b"after"), inflates=True)
    assert heard[0] == b"before"
    assert isinstance(heard[1], Failed)
    assert (heard[1].code, len(heard)) == (code, 2)


def test_no_more_of_a_bomb_is_inflated_than_the_bound() -> None:
    payload = deflated(bytes(64 << 20))  # of which 64 KB come over the wire
    tracemalloc.start()
    try:
        (heard,) = read(frame(payload, 0xC1), inflates=True, limit=len(payload))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(heard, Failed)
    assert heard.code == 1009
    assert peak_bytes < 1 << 20
