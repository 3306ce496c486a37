"""The pure parts: backoff, recognising duplicates, dead letters, settings, remoting frames."""

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.bus.backoff import backoff_s
from backends.bus.dead_letters import MAX_REASON_CHARS, DeadLetter
from backends.bus.outbox import OutgoingRecord
from backends.bus.rocketmq import loader, remoting
from backends.bus.rocketmq.bus import partition_packs
from backends.bus.seen import Seen
from backends.bus.settings import BusSettings
from proto.packs import unpack
from proto.records import Record, RecordHeader


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_grows_within_bounds(attempt, chance):
    delay_s = backoff_s(attempt, 0.1, 5.0, lambda: chance)
    assert 0.075 <= delay_s <= 5.0
    assert backoff_s(attempt + 1, 0.1, 5.0, lambda: chance) >= delay_s


def test_backoff_doubles():
    assert [backoff_s(n, 0.5, 3.0, lambda: 0) for n in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 3.0]


def test_seen_knows_a_duplicate_until_it_is_too_old():
    seen = Seen(max_age_s=10)
    assert seen.is_new("a", 0)
    assert not seen.is_new("a", 10)
    assert seen.is_new("a", 10.5)
    assert seen.duplicates == 1


@given(st.lists(st.text(max_size=2)))
def test_seen_is_bounded_and_forgets_the_oldest(ids):
    seen = Seen(max_age_s=10, max_ids=3)
    for record_id in ids:
        seen.is_new(record_id, 0)
        assert not seen.is_new(record_id, 0)
    assert len(seen) == min(3, len(set(ids)))


def test_seen_takes_back():
    seen = Seen()
    seen.is_new("a", 0)
    seen.forget("a")
    assert seen.is_new("a", 0)


@given(st.binary(max_size=100))
def test_a_dead_letter_keeps_any_body_as_text(body):
    letter = DeadLetter("normal", "routers", "why", 3, 1, body)
    assert DeadLetter.decode(letter.encode()) == letter
    assert 0 not in letter.encode()


def test_a_dead_letter_bounds_its_reason():
    letter = DeadLetter("normal", "routers", "y" * 10_000, 3, 1, b"")
    assert len(DeadLetter.decode(letter.encode()).reason) == MAX_REASON_CHARS


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1000)), max_size=30))
def test_a_room_stays_in_one_queue_and_in_order(messages):
    records = [
        Record(RecordHeader(id=str(n), kind="room", ts_ms=1, room=f"room {room}", seq=seq), b"")
        for n, (room, seq) in enumerate(messages)
    ]
    packs = partition_packs([OutgoingRecord(record) for record in records], 4)
    queues: dict[str, set[int]] = {}
    came: dict[str, list[Record]] = {}
    for queue, body in packs:
        for record in unpack(body):
            queues.setdefault(record.header.room, set()).add(queue)
            came.setdefault(record.header.room, []).append(record)
    assert all(len(numbers) == 1 for numbers in queues.values())
    for room, held in came.items():
        assert held == [record for record in records if record.header.room == room]


@pytest.mark.parametrize(
    "text", ['{"kind":"kafka"}', '{"prefix":"a.b"}', '{"in_flight":0}', '{"nope":1}']
)
def test_settings_out_of_range_are_refused(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=BusSettings)


def test_a_remoting_frame_says_its_lengths():
    frame = remoting.encode(105, {"topic": "t"}, b"body")
    length, header_length = struct.unpack_from(">II", frame)
    assert length == len(frame) - 4
    assert msgspec.json.decode(frame[8 : 8 + header_length])["extFields"] == {"topic": "t"}
    assert frame.endswith(b"body")


@given(st.binary(max_size=60))
def test_an_unreadable_answer_is_an_error(frame):
    with pytest.raises(remoting.RemotingError):
        remoting.decode(frame)


def test_unquoted_numeric_keys_are_read():
    assert remoting.Answer(0, body=b'{"a":{0:"x",12:"y"}}').json() == {"a": {"0": "x", "12": "y"}}


def test_a_missing_client_says_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setattr(loader, "LIBRARY", tmp_path / "librocketmq.so")
    with pytest.raises(loader.RocketMQClientMissingError, match="run `python -m backends"):
        loader.load_client()
