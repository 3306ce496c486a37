"""Checks of what is published: who gets it, where it belongs, in which order, unchanged."""

from collections.abc import Awaitable

import trio

from ops.check.report import CheckFailedError, require
from ops.check.stage import Stage, now
from ops.check.visitor import Visitor
from relaymesh_client import Published, Refused

TEXTS = (
    "quotes \" and ' and \\ and / and \\u0041 \\n",
    "tab\t, newline\n, carriage return\r, bell\u0007, nul\u0000",
    "emoji 🎉👩‍👩‍👧‍👦🇺🇳, beyond the plane 𝒳, combining e\u0301 \u0301",
    "مرحبا بالعالم \u202eright to left\u202c שלום",
    "<script>alert('&amp;')</script> {\"json\": [1, null]} %s %00 ${x}",
    "line separators \u2028 \u2029, byte order \ufeff, joiner \u200d, private \ue000",
    " leading and trailing ",
    "界" * 2000,
)
IN_ORDER = 100
MATCHES = ("room", "priority", "epoch", "seq", "ts", "mid")


async def hello_answers_with_heads(stage: Stage) -> str:
    """The answer to `hello` and `join` says all that the protocol lists."""
    for each in stage.everybody:
        joined = await each.joining()
        require(set(joined.heads) == {"urgent", "normal", "bulk"}, f"heads are {joined.heads}")
        require(joined.carrier, f"{each.node} names no carrier")
        role = "host" if each is stage.host else "viewer"
        require(joined.role == role, f"{each.name} should be {role}, is {joined.role}")
    return f"three heads, roles, carrier {joined.carrier}"


async def chat_reaches_every_node(stage: Stage) -> str:
    """Everybody's chat reaches everybody, with the sender's name and the acknowledged number."""
    for sender in stage.everybody:
        text = f"hello from {sender.node}"
        sent_at = now()
        sent = await sender.client.chat(stage.room, text)
        await stage.reaches_all(sent, sent_at)
        for each in stage.everybody:
            frame = (await each.message(sent.mid)).frame
            said = {"push": frame["push"], "text": frame["text"], "name": frame["name"]}
            meant = {"push": "chat", "text": text, "name": sender.name}
            require(said == meant, f"{each.node} got {said}, sent was {meant}")
            require(sent == _published(frame), f"{each.node} got {frame}, acknowledged was {sent}")
    return f"{len(stage.everybody)} senders on {len(stage.nodes)} nodes, everybody got each"


async def text_arrives_unchanged(stage: Stage) -> str:
    """Escapes, quotes, emoji, right-to-left, control characters: as they were sent."""
    sender, receiver = stage.far
    for text in TEXTS:
        sent = await sender.client.chat(stage.room, text)
        got = (await receiver.message(sent.mid)).frame["text"]
        require(got == text, f"sent {text[:40]!r}, arrived {got[:40]!r}")
    return f"{len(TEXTS)} difficult texts"


async def hundred_arrive_in_order(stage: Stage) -> str:
    """A hundred messages of two senders: all of them, in one order, for everybody."""
    senders = stage.far
    sent: list[Published] = []

    async def send(sender: Visitor) -> None:
        for number in range(IN_ORDER // 2):
            sent_at = now()
            sent.append(await sender.client.chat(stage.room, f"{sender.name} {number}"))
            await stage.reaches_all(sent[-1], sent_at)

    async with trio.open_nursery() as nursery:
        for sender in senders:
            nursery.start_soon(send, sender)
    seqs = sorted(each.seq for each in sent)
    require(seqs == list(range(seqs[0], seqs[0] + IN_ORDER)), "the numbers have holes or doubles")
    for each in stage.everybody:
        _require_in_order(each, "normal")
    return f"{IN_ORDER} of 2 senders, seq {seqs[0]} to {seqs[-1]}, the same for everybody"


async def small_gift_is_normal(stage: Stage) -> str:
    """A gift of little value goes with the chat."""
    sent = await _gift(stage, "rose", 1, 3)
    require(sent.priority == "normal", f"value 3 went as {sent.priority}")
    return f"value 3: normal, seq {sent.seq}"


async def big_gift_is_urgent(stage: Stage) -> str:
    """A gift of great value is urgent, by its value times its count."""
    sent = await _gift(stage, "crown", 100_000, 1)
    require(sent.priority == "urgent", f"value 100,000 went as {sent.priority}")
    for sender in stage.viewers:
        for _ in range(5):
            sent_at = now()
            receipt = await _receipt(stage, sender, "crown", 50_000, 2)
            sent = await sender.client.gift(stage.room, "crown", 50_000, count=2, receipt=receipt)
            require(sent.priority == "urgent", f"2 × 50,000 went as {sent.priority}")
            await stage.reaches_all(sent, sent_at)
    return f"value 100,000: urgent, seq {sent.seq}"


async def host_speech_is_urgent(stage: Stage) -> str:
    """The host's speech is urgent and marked as the host's."""
    sent_at = now()
    sent = await stage.host.client.speech(stage.room, "good evening")
    require(sent.priority == "urgent", f"speech went as {sent.priority}")
    await stage.reaches_all(sent, sent_at)
    for each in stage.everybody:
        frame = (await each.message(sent.mid)).frame
        require((frame["push"], frame["role"]) == ("speech", "host"), f"arrived as {frame}")
        _require_in_order(each, "urgent")
    return f"urgent, seq {sent.seq}"


async def speech_is_refused_for_viewers(stage: Stage) -> str:
    """A viewer can't speak as a host."""
    viewer = stage.viewers[0]
    return await _refused(viewer.client.speech(stage.room, "me too"), "forbidden")


async def same_mid_is_published_once(stage: Stage) -> str:
    """The same `mid` again gets the first answer and publishes nothing."""
    sender, receiver = stage.far
    first = await sender.client.chat(stage.room, "once", mid="check-same-mid")
    again = await sender.client.chat(stage.room, "twice?", mid="check-same-mid")
    require(first == again, f"first {first}, then {again}")
    last = await sender.client.chat(stage.room, "after")
    await receiver.message(last.mid)
    count = sum(frame.get("mid") == first.mid for frame in receiver.of("chat"))
    require(count == 1, f"arrived {count} times")
    require(last.seq == first.seq + 1, f"seq went from {first.seq} to {last.seq}")
    return f"seq {first.seq} both times, one push"


async def gift_without_receipt_is_refused(stage: Stage) -> str:
    """A gift that nobody has paid for is not given."""
    sender = stage.viewers[0]
    gift = sender.client.gift(stage.room, "crown", 100_000, receipt="made-up")
    return await _refused(gift, "receipt_invalid")


async def _receipt(stage: Stage, sender: Visitor, gift: str, value: int, count: int) -> str:
    uid = sender.client.session.uid
    return await stage.receipts.of(uid, stage.room, gift, value, count)


async def _gift(stage: Stage, gift: str, value: int, count: int) -> Published:
    sender, _ = stage.far
    sent_at = now()
    receipt = await _receipt(stage, sender, gift, value, count)
    sent = await sender.client.gift(
        stage.room, gift, value, count=count, text="for you", receipt=receipt
    )
    await stage.reaches_all(sent, sent_at)
    for each in stage.everybody:
        frame = (await each.message(sent.mid)).frame
        got = tuple(frame[name] for name in ("push", "gift", "value", "count", "text"))
        require(got == ("gift", gift, value, count, "for you"), f"arrived as {frame}")
    return sent


async def _refused(request: Awaitable[object], code: str) -> str:
    try:
        answer = await request
    except Refused as error:
        require(error.code == code, f"refused with {error.code}, not {code}")
        return f"{error.code}: {error.message}"
    raise CheckFailedError(f"was not refused but answered {answer}")


def _require_in_order(each: Visitor, priority: str) -> None:
    seqs = [push.seq for push in each.pushes if push.priority == priority]
    require(seqs == sorted(set(seqs)), f"{each.name} on {each.node} saw {priority} as {seqs}")
    require(not each.lost, f"{each.name} on {each.node} lost {each.lost}")


def _published(frame: dict[str, object]) -> Published:
    return Published(*(frame[name] for name in MATCHES))  # type: ignore[arg-type]
