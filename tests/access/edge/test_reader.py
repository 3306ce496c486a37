"""The reader against wsproto: the same messages, or the same class of error, at any cut."""

import itertools
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from access.edge.fallback import Failed, Heard, PeerClosed, Pinged
from access.edge.frames import encode_close, encode_pong, encode_text, frame_bytes, unmask
from access.edge.reader import Reader

LIMIT = 300
KEY = b"\x01\x82\x43\xf4"


def frame(
    payload: bytes, first: int = 0x81, *, masked: bool = True, width: int | None = None
) -> bytes:
    """A client's frame; `width` forces the size of the length field."""
    size = len(payload)
    width = width if width is not None else 0 if size < 126 else 2 if size < 65536 else 8
    seven = {0: size, 2: 126, 8: 127}[width]
    head = bytes((first, seven | (0x80 if masked else 0)))
    head += size.to_bytes(width, "big") if width else b""
    return head + (KEY + unmask(payload, KEY) if masked else payload)


def read(data: bytes, cuts: list[int] | None = None, limit: int = LIMIT) -> list[Heard]:
    reader = Reader(limit)
    heard: list[Heard] = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts or ()), len(data)]
    for start, stop in itertools.pairwise(places):
        heard += reader.feed(data[start:stop])
    return heard


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


@pytest.mark.parametrize(("payload", "code"), [(b"", 1005), (b"\x03\xe8bye", 1000)])
def test_a_close_frame_ends_the_reading(payload: bytes, code: int) -> None:
    assert read(frame(payload, 0x88) + frame(b"after")) == [PeerClosed(code)]


@dataclass
class Oracle:
    """wsproto alone, with the same limit and the same dislike of binary."""

    def __post_init__(self) -> None:
        self.connection = Connection(ConnectionType.SERVER)

    def read(self, data: bytes) -> list[Heard]:
        self.connection.receive_data(data)
        heard: list[Heard] = []
        text = b""
        for event in self.connection.events():
            if isinstance(event, TextMessage):
                text += event.data.encode()
                if len(text) > LIMIT:
                    return [*heard, Failed(1009, "")]
                if event.message_finished:
                    heard.append(text)
                    text = b""
            elif isinstance(event, BytesMessage):
                return [*heard, Failed(1003, "")]
            elif isinstance(event, Ping):
                heard.append(Pinged(bytes(event.payload)))
            elif isinstance(event, CloseConnection):
                broken = self.connection.state is ConnectionState.OPEN
                code = int(event.code)
                return [*heard, Failed(code, "") if broken else PeerClosed(code)]
        return heard


TEXTS = st.text(max_size=200).map(str.encode)
USUAL = TEXTS.map(frame)
FRAGMENTED = st.lists(TEXTS, min_size=2, max_size=4).map(
    lambda parts: b"".join(
        frame(part, (0x01 if i == 0 else 0x00) | (0x80 if i == len(parts) - 1 else 0))
        for i, part in enumerate(parts)
    )
)
CONTROL = st.tuples(st.binary(max_size=125), st.sampled_from([0x89, 0x8A])).map(
    lambda both: frame(both[0], both[1])
)
WILD = st.builds(
    frame,
    st.binary(max_size=400),
    st.integers(0, 255),
    masked=st.booleans(),
    width=st.sampled_from([None, 2, 8]),
)
NOISE = st.binary(max_size=40)
STREAMS = st.lists(
    st.one_of(USUAL, USUAL, USUAL, FRAGMENTED, CONTROL, WILD, NOISE), max_size=8
).map(b"".join)


def alike(heard: list[Heard]) -> list[object]:
    """What must be equal: a failure's words are free, its code is not."""
    return [one.code if isinstance(one, Failed) else one for one in heard]


@settings(max_examples=400, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 4000), max_size=12))
def test_reads_what_wsproto_reads_at_any_cut(data: bytes, cuts: list[int]) -> None:
    expected, heard = Oracle().read(data), read(data, cuts)
    ours, theirs = alike(heard), alike(expected)
    if ours and ours[-1] == 1009 and isinstance(heard[-1], Failed):
        # A size that is declared is refused at once; wsproto waits for bytes and may find another
        # fault in them, or none yet.
        assert ours[:-1] == theirs[: len(ours) - 1]
        assert len(theirs) <= len(ours)
    elif theirs and theirs[-1] == 1007 and len(ours) == len(theirs) - 1:
        # wsproto judges the bytes of a frame as they come, the short way when it is whole.
        assert ours == theirs[:-1]
    else:
        assert ours == theirs


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


def test_noise_never_raises() -> None:
    rng = random.Random(7)
    for _ in range(300):
        read(rng.randbytes(rng.randrange(200)), [rng.randrange(200) for _ in range(3)])
