"""The reader against wsproto, frame by frame: the same messages or the same error, at any cut,
with and without compression. The long run is CI's."""

import itertools
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from access.edge.reading.fallback import Binary, Failed, Heard, PeerClosed, Pinged
from tests.access.edge.client_frames import LIMIT, TAIL, deflated, ended, frame, read

ENDS = (b"", TAIL, b"\x00" + TAIL)
DOCUMENTED = {1002, 1007, 1009}
LONG_RUN = 15_000


class MendedDeflate(PerMessageDeflate):
    """wsproto's extension without its two faults: that a control frame between fragments ends the
    compression, and that what follows a last block is dropped without a word."""

    def __init__(self) -> None:
        super().__init__()
        self.finalize("permessage-deflate; client_no_context_takeover")
        self._control = False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        self._control = opcode.iscontrol()
        before = self._inbound_compressed
        answer = super().frame_inbound_header(proto, opcode, rsv, payload_length)
        if self._control:
            self._inbound_compressed = before
        return answer

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        if self._control:
            return None
        inflater = self._decompressor if fin and self._inbound_compressed else None
        answer = super().frame_inbound_complete(proto, fin)
        if inflater is not None and inflater.eof and inflater.unused_data not in ENDS:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        return answer


class Oracle:
    """wsproto alone, with the same limit."""

    def __init__(self, *, inflates: bool) -> None:
        self.connection = Connection(ConnectionType.SERVER, [MendedDeflate()] if inflates else [])
        self.message = b""

    def read(self, data: bytes) -> list[Heard]:
        self.connection.receive_data(data)
        heard: list[Heard] = []
        for event in self.connection.events():
            heard += self._hear(event)
            if heard and isinstance(heard[-1], Failed | PeerClosed):
                break
        return heard

    def _hear(self, event: Event) -> list[Heard]:
        if isinstance(event, TextMessage | BytesMessage):
            return self._hear_part(event)
        if isinstance(event, Ping):
            return [Pinged(bytes(event.payload))]
        if isinstance(event, CloseConnection):
            broken, code = self.connection.state is ConnectionState.OPEN, int(event.code)
            return [Failed(code, "") if broken else PeerClosed(code)]
        return []

    def _hear_part(self, event: TextMessage | BytesMessage) -> list[Heard]:
        text = isinstance(event, TextMessage)
        self.message += cast("str", event.data).encode() if text else bytes(event.data)
        if len(self.message) > LIMIT:
            return [Failed(1009, "")]
        if not event.message_finished:
            return []
        whole, self.message = self.message, b""
        return [whole if text else Binary(whole)]


def split(payload: bytes, places: list[int], first: int) -> bytes:
    """A message in fragments."""
    cuts = [0, *sorted(place % (len(payload) + 1) for place in places), len(payload)]
    parts = [payload[start:stop] for start, stop in itertools.pairwise(cuts)]
    fin = [0x00] * (len(parts) - 1) + [0x80]
    opcodes = [first, *[0x00] * (len(parts) - 1)]
    return b"".join(
        frame(part, opcode | end) for part, opcode, end in zip(parts, opcodes, fin, strict=True)
    )


TEXTS = st.text(max_size=200).map(str.encode)
PLACES = st.lists(st.integers(0, 400), max_size=3)
USUAL = TEXTS.map(frame)
FRAGMENTED = st.builds(split, TEXTS, PLACES, st.sampled_from([0x01, 0x02]))
CONTROL = st.builds(frame, st.binary(max_size=125), st.sampled_from([0x89, 0x8A]))
CLOSE = st.builds(
    lambda code, reason: frame(code.to_bytes(2, "big") + reason, 0x88),
    st.sampled_from([1000, 1001, 1002, 1005, 999, 3000, 4999, 5000]),
    st.binary(max_size=20),
)
BIG = st.integers(LIMIT - 1, 4 * LIMIT).map(lambda size: b"x" * size)
PAYLOADS = st.one_of(
    st.builds(deflated, st.one_of(TEXTS, BIG), st.integers(0, 9), st.integers(9, 15)),
    TEXTS.map(ended),
    st.just(deflated(bytes(1000 * LIMIT))),
    st.binary(max_size=40),
    st.builds(lambda text, cut: deflated(text)[:cut], TEXTS, st.integers(0, 100)),
)
DEFLATED = st.builds(split, PAYLOADS, PLACES, st.sampled_from([0x41, 0x41, 0x42]))
WILD = st.builds(
    frame,
    st.one_of(st.binary(max_size=400), PAYLOADS),
    st.integers(0, 255),
    masked=st.booleans(),
    width=st.sampled_from([None, 2, 8]),
)
NOISE = st.binary(max_size=40)
FRAMES = st.one_of(USUAL, USUAL, DEFLATED, DEFLATED, FRAGMENTED, CONTROL, CLOSE, WILD, NOISE)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Frames one after the other; here and there one is put between the halves of another."""
    frames = draw(st.lists(FRAMES, max_size=8))
    if frames and draw(st.booleans()):
        payload, first = draw(st.tuples(PAYLOADS, st.sampled_from([0x01, 0x41])))
        half = len(payload) // 2
        between = draw(st.one_of(CONTROL, WILD))
        frames.append(frame(payload[:half], first) + between + frame(payload[half:], 0x80))
    return b"".join(frames)


def alike(heard: list[Heard]) -> list[object]:
    """What must be equal: a failure's words are free, its code is not."""
    return [one.code if isinstance(one, Failed) else one for one in heard]


def agree(ours: list[Heard], theirs: list[Heard], *, inflates: bool) -> bool:
    """Whether the two readings differ at most in when a fault is seen."""
    if alike(ours) == alike(theirs):
        return True
    return refused_by_size(ours, theirs) or judged_when_whole(ours, theirs, inflates=inflates)


def refused_by_size(ours: list[Heard], theirs: list[Heard]) -> bool:
    """A size that is declared is refused at once; wsproto waits for bytes and may find another
    fault in them, or none yet."""
    before = ours[:-1]
    too_large = bool(ours) and isinstance(ours[-1], Failed) and ours[-1].code == 1009
    return too_large and before == theirs[: len(before)] and len(theirs) <= len(ours)


def judged_when_whole(ours: list[Heard], theirs: list[Heard], *, inflates: bool) -> bool:
    """wsproto judges the bytes of a frame as they come, the short way when it is whole, and we
    inflate a message when all of it is there: control frames may be heard before."""
    fault, before = (theirs[-1], theirs[:-1]) if theirs else (None, [])
    if not isinstance(fault, Failed) or ours[: len(before)] != before:
        return False
    later = ours[len(before) :]
    if not inflates:
        return fault.code == 1007 and not later
    return not any(isinstance(one, bytes | Binary) for one in later)


def compare(data: bytes, cuts: list[int], *, inflates: bool) -> None:
    ours, theirs = read(data, cuts, inflates=inflates), Oracle(inflates=inflates).read(data)
    assert agree(ours, theirs, inflates=inflates), (ours, theirs)
    assert all(one.code in DOCUMENTED for one in ours if isinstance(one, Failed))
    assert all(len(one) <= LIMIT for one in ours if isinstance(one, bytes))


CUTS = st.lists(st.integers(0, 4000), max_size=12)


@settings(max_examples=300)
@given(streams(), CUTS, st.booleans())
def test_reads_what_wsproto_reads_at_any_cut(data: bytes, cuts: list[int], inflates: bool) -> None:
    compare(data, cuts, inflates=inflates)


@pytest.mark.fuzz
@settings(max_examples=LONG_RUN)
@given(streams(), CUTS, st.booleans())
def test_reads_what_wsproto_reads_for_a_long_run(
    data: bytes, cuts: list[int], inflates: bool
) -> None:
    compare(data, cuts, inflates=inflates)


@settings(max_examples=300)
@given(streams(), CUTS, st.booleans())
def test_where_the_bytes_are_cut_changes_nothing(
    data: bytes, cuts: list[int], inflates: bool
) -> None:
    whole, pieces = read(data, inflates=inflates), read(data, cuts, inflates=inflates)
    assert alike(pieces) == alike(whole)
