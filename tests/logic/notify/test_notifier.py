import pytest
import trio
from sqlalchemy import insert, update

from backends.database import schema
from backends.push.interface import Outcome, Verdict
from logic.notify import rows
from logic.presence.presence import Online, State
from tests.logic.notify.conftest import START_MS, ids, message

LATER = Outcome(Verdict.LATER, "unavailable")
D, N = schema.devices.c, schema.notifications.c


async def test_who_is_away_is_notified_on_every_device(world, autojump_clock):
    await world.device("phone")
    await world.device("tablet", provider="webhook")
    await world.device("web", token="")
    await world.session(last_count=5, read_count=2)
    await world.says("hello")
    async with world.running():
        await trio.sleep(3)
    (told,) = world.fcm.sent
    assert (told.token, told.uid, told.device) == ("bob-phone", "bob", "phone")
    assert (told.id, told.conv, told.seq) == (message(1), "d:ann|bob", 1)
    assert (told.title, told.body, told.badge, told.quiet) == ("Ann", "hello", 3, False)
    assert ids(world.webhook.sent) == [("tablet", message(1))]
    assert await world.rows() == []


async def test_nothing_is_sent_before_it_is_due(world, autojump_clock):
    await world.device()
    await world.says(due_in_ms=10_000)
    async with world.running():
        await trio.sleep(9)
        assert world.fcm.sent == []
        await trio.sleep(3)
    assert len(world.fcm.sent) == 1


async def test_a_conversation_is_told_of_once_with_its_newest_message(world, autojump_clock):
    await world.device()
    for number in range(1, 6):
        await world.says(f"{number}", n=number)
    await world.says("other", conv="d:bob|cid", n=6)
    async with world.running():
        await trio.sleep(3)
    assert sorted(each.body for each in world.fcm.sent) == ["5", "other"]


async def test_an_ack_or_a_read_that_comes_first_cancels(world, autojump_clock):
    await world.device(cursor=3)
    await world.says(n=3)
    await world.says(conv="d:bob|cid", n=4)
    await world.session("d:bob|cid", read_seq=1)
    await world.says(conv="d:bob|dan", n=5, uid="nobody")
    async with world.running() as notifier:
        await trio.sleep(3)
    assert world.fcm.tried == []
    assert await world.rows() == []
    assert notifier.counters.cancelled == {"acknowledged": 1, "read": 1, "no_device": 1}


async def test_only_devices_that_lack_it_are_told(world, autojump_clock):
    await world.device("phone", cursor=1)
    await world.device("tablet", cursor=0)
    await world.says(n=1)
    async with world.running():
        await trio.sleep(3)
    assert ids(world.fcm.sent) == [("tablet", message(1))]


async def test_of_a_hot_group_the_hot_position_counts(world, autojump_clock):
    await world.device("phone", cursor=99)
    await world.device("tablet", cursor=99)
    await world.says(conv="g:big", n=0, mentioned=True)
    position = {"uid": "bob", "device": "phone", "conv": "g:big", "seq": 1}
    await world.do(insert(schema.hot_cursors), position)
    async with world.running():
        await trio.sleep(3)
    assert ids(world.fcm.sent) == [("tablet", message(1, "g:big"))]


async def test_a_device_that_is_connected_and_silent_is_told_after_a_while(world, autojump_clock):
    await world.device()
    world.presence.known["bob"] = Online(State.ONLINE, frozenset(("phone",)))
    await world.says()
    async with world.running(unacked_s=15) as notifier:
        await trio.sleep(14)
        assert world.fcm.sent == []
        await trio.sleep(3)
    assert len(world.fcm.sent) == 1
    assert notifier.counters.postponed == {"ack_awaited": 1}


async def test_a_connected_device_that_acknowledges_meanwhile_is_not_told(world, autojump_clock):
    await world.device()
    world.presence.known["bob"] = Online(State.ONLINE, frozenset(("phone",)))
    await world.says()
    async with world.running(unacked_s=15):
        await trio.sleep(5)
        await world.do(update(schema.devices).values(cursor=1))
        await trio.sleep(30)
    assert world.fcm.tried == []


async def test_another_device_that_is_connected_keeps_nobody_waiting(world, autojump_clock):
    await world.device("phone")
    world.presence.known["bob"] = Online(State.ONLINE, frozenset(("web",)))
    await world.says()
    async with world.running():
        await trio.sleep(3)
    assert len(world.fcm.sent) == 1


async def test_nobody_is_told_while_presence_is_unknown(world, autojump_clock):
    await world.device()
    world.presence.known["bob"] = Online(State.UNKNOWN)
    await world.says()
    async with world.running():
        await trio.sleep(300)
        assert world.fcm.tried == []
        del world.presence.known["bob"]
        await trio.sleep(10)
    assert len(world.fcm.sent) == 1


async def test_a_clock_that_was_a_day_ahead_keeps_nobody_waiting(world, autojump_clock):
    await world.device()
    world.presence.known["bob"] = Online(State.ONLINE, frozenset(("phone",)))
    await world.says()
    await world.do(update(schema.messages).values(ts=START_MS + 86_400_000))
    async with world.running():
        await trio.sleep(3)
    assert len(world.fcm.sent) == 1


async def test_a_muted_conversation_is_quiet_unless_one_is_mentioned(world, autojump_clock):
    await world.device()
    await world.session(muted=True)
    await world.session("g:team", muted=True)
    await world.says()
    await world.says(conv="g:team", n=2, mentioned=True)
    async with world.running():
        await trio.sleep(3)
    told = {each.conv: (each.quiet, each.body) for each in world.fcm.sent}
    assert told == {"d:ann|bob": (True, ""), "g:team": (False, "hello")}


async def test_a_group_is_named(world, autojump_clock):
    await world.device()
    group = {"conv": "g:team", "name": "Team", "owner": "ann", "member_count": 2, "created": 1}
    await world.do(insert(schema.groups), group)
    await world.says(conv="g:team")
    async with world.running():
        await trio.sleep(3)
    assert [(each.title, each.body) for each in world.fcm.sent] == [("Team", "Ann: hello")]


async def test_of_a_kind_that_is_not_shown_the_app_is_told_quietly(world, autojump_clock):
    await world.device()
    await world.says(kind="group_role", conv="g:team")
    async with world.running():
        await trio.sleep(3)
    assert [(each.quiet, each.kind) for each in world.fcm.sent] == [(True, "group_role")]


async def test_what_was_taken_back_is_not_told_but_what_came_before_is(world, autojump_clock):
    await world.device()
    await world.says("first", n=1)
    seq = await world.says("oh no", n=2)
    await world.do(
        update(schema.messages)
        .where(schema.messages.c.seq == seq)
        .values(recalled=True, body=b"{}")
    )
    await world.says("alone", conv="d:bob|cid", n=3)
    await world.do(
        update(schema.messages)
        .where(schema.messages.c.conv == "d:bob|cid")
        .values(recalled=True, body=b"{}")
    )
    async with world.running() as notifier:
        await trio.sleep(3)
    assert [(each.body, each.id) for each in world.fcm.sent] == [("first", message(1))]
    assert notifier.counters.cancelled == {"recalled": 1}


async def test_the_badge_counts_all_sessions_hot_ones_by_their_conversation(world, autojump_clock):
    await world.device()
    await world.says()
    await world.session(last_count=2, read_count=1)
    await world.session("d:bob|cid", last_count=1, read_count=9)
    await world.session("g:left", last_count=50, left=True)
    await world.session("g:hot", hot=True, last_count=0, read_count=10)
    await world.do(insert(schema.conversations), {"conv": "g:hot", "last_count": 30, "hot": True})
    async with world.running():
        await trio.sleep(3)
    assert [each.badge for each in world.fcm.sent] == [1 + 20]


async def test_a_token_that_is_gone_is_forgotten_and_no_other(world, autojump_clock):
    await world.device("phone")
    await world.device("tablet")
    await world.device("phone", uid="cid")
    gone = Outcome(Verdict.GONE, "unregistered")
    world.fcm.answer = lambda each: gone if each.token == "bob-phone" else Outcome(Verdict.SENT)
    await world.says()
    async with world.running():
        await trio.sleep(3)
    assert await world.tokens() == {"phone": "", "tablet": "bob-tablet"}
    assert await world.tokens("cid") == {"phone": "cid-phone"}
    assert await world.rows() == []


async def test_a_token_given_meanwhile_is_not_forgotten(world, autojump_clock):
    await world.device()
    world.fcm.answer = lambda _: Outcome(Verdict.GONE, "unregistered")
    world.fcm.takes_s = 5
    await world.says()
    async with world.running():
        await trio.sleep(2)
        await world.do(update(schema.devices).values(token="fresh"))
        await trio.sleep(10)
    assert await world.tokens() == {"phone": "fresh"}


async def test_failures_back_off_and_the_message_comes_through_in_the_end(world, autojump_clock):
    await world.device()
    world.fcm.answer = lambda _: LATER
    await world.says()
    async with world.running():
        await trio.sleep(100)
        tried = len(world.fcm.tried)
        assert 3 <= tried <= 6
        (row,) = await world.rows()
        assert row.attempts == tried
        world.fcm.answer = lambda _: Outcome(Verdict.SENT)
        await trio.sleep(200)
    assert len(world.fcm.sent) == 1
    assert await world.rows() == []


async def test_a_device_that_has_it_is_not_sent_it_again_for_another(world, autojump_clock):
    await world.device("phone")
    await world.device("tablet")
    world.fcm.answer = lambda each: LATER if each.device == "tablet" else Outcome(Verdict.SENT)
    await world.says()
    async with world.running():
        await trio.sleep(60)
        world.fcm.answer = lambda _: Outcome(Verdict.SENT)
        await trio.sleep(200)
    assert sorted(each.device for each in world.fcm.sent) == ["phone", "tablet"]


async def test_retry_after_is_kept_to_by_everybody(world, autojump_clock):
    for number in range(20):
        await world.device(uid=f"u{number}")
        await world.says(uid=f"u{number}", conv=f"d:ann|u{number}")
    world.fcm.answer = lambda _: Outcome(Verdict.LATER, "quota_exceeded", 120)
    async with world.running(concurrency=1):
        await trio.sleep(119)
        assert len(world.fcm.tried) == 1
        world.fcm.answer = lambda _: Outcome(Verdict.SENT)
        await trio.sleep(30)
    assert len(world.fcm.sent) == 20


async def test_it_is_dropped_after_so_many_attempts(world, autojump_clock):
    await world.device()
    world.fcm.answer = lambda _: LATER
    await world.says()
    async with world.running(attempts=3) as notifier:
        await trio.sleep(1000)
    assert len(world.fcm.tried) == 3
    assert await world.rows() == []
    assert notifier.counters.dropped == {"unavailable": 1}


async def test_it_is_dropped_when_the_message_is_old(world, autojump_clock):
    await world.device()
    world.fcm.answer = lambda _: LATER
    await world.says()
    async with world.running(give_up_s=600) as notifier:
        await trio.sleep(1500)
    assert await world.rows() == []
    assert notifier.counters.dropped == {"unavailable": 1}


async def test_what_is_refused_or_has_no_provider_is_dropped(world, autojump_clock):
    await world.device("phone")
    await world.device("watch", provider="apns")
    world.fcm.answer = lambda _: Outcome(Verdict.REFUSED, "sender_id_mismatch")
    await world.says()
    async with world.running() as notifier:
        await trio.sleep(3)
    assert await world.rows() == []
    assert notifier.counters.dropped == {"sender_id_mismatch": 1, "not_configured": 1}
    assert len(await world.tokens()) == 2


async def test_one_provider_that_hangs_does_not_hold_up_the_other(world, autojump_clock):
    world.fcm.takes_s, world.fcm.answer = 10, lambda _: Outcome(Verdict.LATER, "timeout")
    for number in range(150):
        uid, conv = f"u{number:03}", f"d:ann|u{number:03}"
        await world.device(uid=uid)
        await world.device("tablet", uid=f"v{number}", provider="webhook")
        await world.says(uid=uid, conv=conv)
    for number in range(150):
        await world.says(uid=f"v{number}", conv=f"d:ann|v{number}")
    async with world.running(at_work=100, concurrency=4):
        await trio.sleep(60)
    assert len(world.webhook.sent) == 150
    assert len(world.fcm.tried) < 30


async def test_two_instances_share_the_work_and_send_nothing_twice(world, autojump_clock):
    for number in range(250):
        await world.device(uid=f"u{number}")
        await world.says(uid=f"u{number}", conv=f"d:ann|u{number}")
    world.fcm.takes_s = 0.5
    async with world.running(), world.running():
        await trio.sleep(60)
    assert len(world.fcm.sent) == 250
    assert len({each.uid for each in world.fcm.sent}) == 250


async def test_what_a_dead_instance_had_taken_comes_again(world, autojump_clock):
    await world.device()
    world.fcm.takes_s = 30
    await world.says()
    async with world.running():
        await trio.sleep(5)
    assert world.fcm.sent == []
    world.fcm.takes_s = 0
    async with world.running():
        await trio.sleep(rows.CLAIM_MS / 1000 + 2)
    assert ids(world.fcm.sent) == [("phone", message(1))]


@pytest.mark.parametrize("moves_due", [True, False])
async def test_a_newer_message_during_the_sending_is_told_too(world, autojump_clock, moves_due):
    await world.device()
    world.fcm.takes_s = 5
    await world.says("one")
    async with world.running():
        await trio.sleep(2)
        (row,) = await world.rows()
        await world.says("two", n=2)
        if not moves_due:
            await world.do(update(schema.notifications).values(due=row.due))
        await trio.sleep(20)
    assert [each.body for each in world.fcm.sent] == ["one", "two"]
    assert await world.rows() == []


async def test_a_newer_message_during_a_failure_waits_no_longer_than_that(world, autojump_clock):
    await world.device()
    world.fcm.takes_s, world.fcm.answer = 2, lambda _: LATER
    await world.says("one")
    async with world.running():
        await trio.sleep(1)
        (row,) = await world.rows()
        await world.says("two", n=2)
        await world.do(update(schema.notifications).values(due=row.due))
        await trio.sleep(2)
        world.fcm.answer = lambda _: Outcome(Verdict.SENT)
        await trio.sleep(20)
    assert [each.body for each in world.fcm.sent] == ["two"]


async def test_the_database_may_be_away_for_a_minute(world, autojump_clock):
    await world.device()
    await world.says()
    world.fcm.takes_s = 5
    async with world.running():
        await trio.sleep(2)
        world.database.away = True
        await trio.sleep(60)
        world.database.away = False
        await trio.sleep(rows.CLAIM_MS / 1000 + 5)
    assert ids(world.fcm.sent) == [("phone", message(1))]
    assert await world.rows() == []


async def test_a_row_without_its_message_goes(world, autojump_clock):
    await world.device()
    await world.says()
    await world.do(schema.messages.delete())
    async with world.running() as notifier:
        await trio.sleep(3)
    assert notifier.counters.cancelled == {"no_message": 1}
    assert await world.rows() == []


async def test_a_row_that_breaks_the_code_is_dropped_in_the_end_alone(world, autojump_clock):
    await world.device()
    await world.device(uid="cid")

    def answer(notification):
        if notification.uid == "bob":
            raise KeyError("a mistake")
        return Outcome(Verdict.SENT)

    world.fcm.answer = answer
    await world.says()
    await world.says(uid="cid", conv="d:ann|cid")
    async with world.running(attempts=3) as notifier:
        await trio.sleep(400)
    assert [each.uid for each in world.fcm.sent] == ["cid"]
    assert await world.rows() == []
    assert notifier.counters.dropped == {"broke": 1}


async def test_the_figures_are_shown(world, autojump_clock):
    await world.device()
    await world.says()
    await world.says(conv="d:bob|cid", n=2, due_in_ms=3_600_000)
    async with world.running() as notifier:
        await trio.sleep(15)
        shown = {
            (sample.name, *sample.labels.values()): sample.value
            for collector in notifier.collectors()
            for metric in collector.collect()
            for sample in metric.samples
        }
    assert shown["relaymesh_logic_notifications_pending",] == 1
    assert shown["relaymesh_logic_notifications_sent_total", "fcm"] == 1
    assert shown["relaymesh_logic_notifications_sent_total", "webhook"] == 0
