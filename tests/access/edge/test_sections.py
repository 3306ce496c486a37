"""The sections of an audience: who gets which frame, how often it is made, and when it is done."""

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage
from wsproto.extensions import PerMessageDeflate

from access.edge import deflate
from access.edge.interface import Batch
from access.edge.sections import SectionedAudience
from proto.priorities import Priority
from tests.access.edge.test_fanout import FakeMember, fan_out, finish

FROM_BYTES = 256
CHAT = b'[{"push":"chat","text":"hello"},{"push":"chat","text":"hello again"}]' * 20


def member(deflate_bits: int) -> Any:
    made = FakeMember()
    made.deflate_bits = deflate_bits
    return made


def audience_of(*members: FakeMember) -> Any:
    audience: Any = SectionedAudience(FROM_BYTES)
    for one in members:
        audience.add(one)
    return audience


def broadcast(audience: SectionedAudience, message: bytes, done: Any = None) -> None:
    fanout = fan_out()
    for section, batch, frame in audience.rounds(
        Batch(message, Priority.NORMAL, "r", "e", 1, 1, done)
    ):
        fanout.hand_over(section, batch, frame)
    finish(fanout)


def text_of(frame: bytes, deflate_bits: int) -> bytes:
    """What a client library reads that agreed to the window, or to nothing."""
    extension = PerMessageDeflate()
    if deflate_bits:
        answer = "permessage-deflate; server_no_context_takeover; server_max_window_bits="
        extension.finalize(f"{answer}{deflate_bits}")
    client = Connection(ConnectionType.CLIENT, [extension] if deflate_bits else [])
    client.receive_data(frame)
    return "".join(e.data for e in client.events() if isinstance(e, TextMessage)).encode()


@given(
    st.lists(st.sampled_from([0, 9, 10, 12, 15]), max_size=8),
    st.text(max_size=3000).map(str.encode),
)
def test_each_member_gets_the_message_as_it_can_read_it(bits: list[int], message: bytes) -> None:
    members = [member(one) for one in bits]
    broadcast(audience_of(*members), message)
    for one in members:
        (frame,) = one.got
        assert text_of(frame, one.deflate_bits) == message


def test_a_frame_is_compressed_once_for_all_windows_that_hold_the_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    compressobj = zlib.compressobj

    def counted(*arguments: Any) -> Any:
        made.append(arguments[2])
        return compressobj(*arguments)

    monkeypatch.setattr(deflate.zlib, "compressobj", counted)
    members = [member(bits) for bits in (0, 0, 12, 15, 15, 15)]
    broadcast(audience_of(*members), CHAT)
    assert made == [-11]
    assert len({one.got[0] for one in members}) == 2
    assert len(members[2].got[0]) < len(members[0].got[0]) / 5


def test_a_small_round_stays_plain() -> None:
    plain, deflating = member(0), member(15)
    broadcast(audience_of(plain, deflating), b"x" * (FROM_BYTES - 1))
    assert plain.got == deflating.got
    broadcast(audience_of(plain, deflating), b"x" * FROM_BYTES)
    assert plain.got[1] != deflating.got[1]


@pytest.mark.parametrize("bits", [[], [0], [15], [0, 15], [0, 9, 15, 15]])
def test_done_is_called_once_when_the_last_section_is(bits: list[int]) -> None:
    members = [member(one) for one in bits]
    done: list[int] = []
    broadcast(audience_of(*members), CHAT, lambda: done.append(sum(len(m.got) for m in members)))
    assert done == [len(members)]


def test_members_come_and_go_in_their_sections() -> None:
    plain, deflating = member(0), member(15)
    audience = audience_of(plain, deflating, deflating)
    assert len(audience) == 2
    audience.discard(deflating)
    audience.discard(deflating)
    assert len(audience) == 1
    broadcast(audience, CHAT)
    assert (len(plain.got), len(deflating.got)) == (1, 0)
