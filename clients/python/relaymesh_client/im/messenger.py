"""Instant messages as an application uses them: `client.im` (docs/clients.md has a tour)."""

import math
from collections.abc import Iterable, Sequence
from typing import get_args

import trio

from relaymesh_client.errors import Unanswered
from relaymesh_client.event_queue import EventQueue
from relaymesh_client.events import Frame
from relaymesh_client.im.contacts import Contacts
from relaymesh_client.im.events import Draft, Fields, ImEvent, ImPosition, Message, Sent
from relaymesh_client.im.groups import Groups
from relaymesh_client.im.sending import sent_of

TYPING_S = 3.0


class Messenger(Contacts, Groups):
    """Every method that waits raises `Refused`, `Unanswered`, `OutboxFull` or `Closed`, as those of
    `Client` do."""

    # Messages.

    async def send(
        self,
        conv: str,
        *,
        text: str = "",
        data: Fields | None = None,
        mentions: Sequence[str] = (),
        mention_all: bool = False,
        attachments: Sequence[Fields] = (),
        reply_to: int = 0,
        mid: str = "",
        timeout_s: float = math.inf,
    ) -> Sent:
        """Say something in `conv`; sent over reconnects until answered, kept once.

        Messages of a conversation are numbered in the order of the calls. Who is cancelled here has
        the message sent all the same; `outbox` says what waits.
        """
        fields: Fields = {
            "text": text,
            "mentions": list(mentions),
            "mention_all": mention_all,
            "attachments": list(attachments),
            "reply_to": reply_to,
        }
        said = {name: value for name, value in fields.items() if value}
        said |= {"data": data} if data is not None else {}
        draft = Draft(conv, mid or self._new_mid(), said)
        return sent_of(await self._driver.answer(self._write(draft, timeout_s)))

    @property
    def outbox(self) -> list[Draft]:
        """All messages that have no answer yet, in the order of each conversation.

        An application that keeps them gives them to `restore` after its own restart, and lets go of
        each when it hears `Acknowledged` or `NotSent`.
        """
        return list(self._driver.protocol.im.sending)

    def restore(self, drafts: Iterable[Draft]) -> None:
        """Send messages of an earlier client: `Acknowledged` or `NotSent` tells of each. What had
        been sent already is not sent twice, because its `mid` is the same."""
        for draft in drafts:
            self._write(draft, math.inf)
        self._driver.flush()

    async def recall(self, conv: str, seq: int) -> Frame:
        """Take a message back."""
        return await self._ask("recall", {"conv": conv, "seq": seq})

    async def read(self, conv: str, seq: int) -> Frame:
        """Say that all up to `seq` was read; returns how far it was, on whichever device."""
        return await self._ask("read", {"conv": conv, "seq": seq})

    async def typing(self, conv: str, *, on: bool = True) -> None:
        """Say that the user types, or has stopped; without a connection it is not worth saying."""
        if self._driver.protocol.ready:
            try:
                await self._ask("typing", {"conv": conv, "on": on}, TYPING_S)
            except Unanswered:
                pass

    async def history(
        self, conv: str, *, before: int = 0, after: int | None = None, limit: int = 50
    ) -> Frame:
        """Return `frames`: the `limit` messages before number `before` (0: the newest), or those
        after `after`."""
        where = {"before": before} if after is None else {"after": after}
        return await self._ask("history", {"conv": conv, "limit": limit, **where})

    async def sync(self, stream: str, since: int, *, limit: int = 200) -> Frame:
        """Return a page of a stream; the client itself asks for what it has missed."""
        return await self._ask("sync", {"stream": stream, "since": since, "limit": limit})

    # The session list.

    async def sessions(self, *, limit: int = 50, cursor: str = "") -> Frame:
        """Return a page of `sessions`, the latest activity first, and the `cursor` of the next."""
        return await self._ask("sessions", {"limit": limit, "cursor": cursor})

    async def session_set(
        self,
        conv: str,
        *,
        muted: bool | None = None,
        pinned: bool | None = None,
        hidden: bool | None = None,
    ) -> Frame:
        """Mute, pin or hide a conversation; what is `None` stays."""
        marks = {"muted": muted, "pinned": pinned, "hidden": hidden}
        named = {name: value for name, value in marks.items() if value is not None}
        return await self._ask("session_set", {"conv": conv, **named})

    # Devices and presence.

    async def watch(self, uids: Sequence[str]) -> list[str]:
        """Be told the `Presence` of exactly these friends, over reconnects; returns those who are
        no friends, of whom nothing is told."""
        ok = await self._ask("watch", self._driver.protocol.im.watch(list(uids)))
        refused: list[str] = ok["refused"]
        return refused

    async def device_set(self, provider: str, token: str) -> None:
        """Have this device notified by `provider` (`fcm`, `apns`, `webhook`) at `token`."""
        await self._ask("device_set", {"provider": provider, "token": token})

    async def device_remove(self, device: str = "") -> None:
        """Forget `device`, or this one."""
        await self._ask("device_remove", {"device": device} if device else {})

    # What comes.

    def events(self, *, capacity: int = 10_000) -> EventQueue:
        """Return an iterator over the events of instant messages alone, from now on."""
        return self._driver.listen(lambda event: isinstance(event, get_args(ImEvent)), capacity)

    def ack(self, message: Message) -> None:
        """Say that `message` is safe with the application (`connect(…, manual_ack=True)`)."""
        self._driver.protocol.im.take(message, trio.current_time())
        self._driver.protocol.tick(trio.current_time())
        self._driver.flush()

    @property
    def position(self) -> ImPosition:
        """How far all was taken; give it to `connect` to go on there after a restart."""
        return self._driver.protocol.im.position

    def _write(self, draft: Draft, timeout_s: float) -> int:
        self._driver.require_open()
        now = trio.current_time()
        return self._driver.protocol.send(draft, now=now, give_up_s=timeout_s)
