"""What logic keeps of instant messages, in memory: mailboxes, hot groups, cursors, presence."""

import json
from collections import defaultdict
from typing import Any

from proto import im_services, services
from proto.conversations import MAILBOX, hot_group
from proto.errors import ErrorCode, RequestError
from proto.im_frames import message
from proto.im_services import HotStart, OpenAnswer, SyncAnswer, TailsAnswer, UserPresence
from proto.server_frames import encode_json
from proto.services import Method

NOW_MS = 1_790_000_000_000
THRESHOLD = 500
METHODS = frozenset(
    (
        Method.IM,
        Method.OPEN,
        Method.SYNC,
        Method.TAILS,
        Method.CURSORS,
        Method.PRESENCE,
        Method.WATCHABLE,
    )
)


class Group:
    """A group: who is in it, all its messages, and which of them are on its hot stream."""

    def __init__(self, members: list[str]) -> None:
        self.members = members
        self.frames: list[bytes] = []
        self.on_hot: set[int] = set()
        self.hot = False
        self.head = 0
        """Of the hot stream, as TAILS says it."""
        self.left: dict[str, int] = {}
        """The last message that is for a member who has left."""


class ImLogic:
    """Answers the methods of instant messaging."""

    def __init__(self) -> None:
        self.epoch = "d1"
        self.mailboxes: dict[str, list[bytes]] = defaultdict(list)
        self.oldest: dict[str, int] = {}
        self.groups: dict[str, Group] = {}
        self.numbers: dict[str, int] = defaultdict(int)
        self.cursors: list[im_services.Cursor] = []
        self.presence: dict[str, UserPresence] = {}
        self.strangers: set[tuple[str, str]] = set()
        """Watchers, and whom they may not watch; all others are friends."""
        self.requests: list[dict[str, Any]] = []
        self.facts: list[dict[str, Any]] = []
        self.hot_positions: dict[str, int] = {}

    # -- what happens

    def direct(self, conv: str, uids: list[str], text: str = "x", kind: str = "message") -> bytes:
        """Number and keep a message for the mailboxes of `uids`; returns its frame."""
        self.numbers[conv] += 1
        return self._keep(conv, self.numbers[conv], uids, kind, {"text": text})

    def system(self, uid: str, kind: str, body: dict[str, Any]) -> bytes:
        """Tell one user something."""
        conv = f"s:{uid}"
        self.numbers[conv] += 1
        return self._keep(conv, self.numbers[conv], [uid], kind, body)

    def say(self, conv: str, kind: str = "message", **body: Any) -> tuple[int, bytes, bool]:
        """Say something in a group; returns its number, its frame, and whether it is on the hot
        stream: else it is in the members' mailboxes."""
        group = self.groups[conv]
        seq = len(group.frames) + 1
        hot = group.hot
        if kind == "hot":
            group.hot, group.head = True, seq
        if kind == "cool":
            group.hot = False
        frame = _frame(conv, seq, kind, body or {"text": f"{conv} {seq}"})
        group.frames.append(frame)
        if hot:
            group.on_hot.add(seq)
            group.head = seq
        else:
            for uid in group.members:
                self.mailboxes[uid].append(frame)
        return seq, frame, hot

    def _keep(self, conv: str, seq: int, uids: list[str], kind: str, body: dict[str, Any]) -> bytes:
        frame = _frame(conv, seq, kind, body)
        for uid in uids:
            self.mailboxes[uid].append(frame)
        return frame

    # -- what is asked

    def answer(self, method: Method, body: bytes, facts: dict[str, Any]) -> bytes:
        self.facts.append(facts)
        if method is Method.IM:
            return self._request(json.loads(body))
        if method is Method.OPEN:
            return services.encode(self._open(facts["uid"], im_services.decode_open(body)))
        if method is Method.SYNC:
            return services.encode(self._sync(facts["uid"], im_services.decode_sync(body)))
        if method is Method.TAILS:
            return services.encode(self._tails(im_services.decode_tails(body)))
        if method is Method.CURSORS:
            self.cursors += im_services.decode_cursors(body).cursors
            return b""
        if method is Method.WATCHABLE:
            return services.encode(self._watchable(im_services.decode_watchable(body)))
        asked = im_services.decode_presence(body).uids
        nobody = {uid: UserPresence(uid, "offline", []) for uid in asked}
        users = [self.presence.get(uid, nobody[uid]) for uid in asked]
        return services.encode(im_services.PresenceAnswer(users))

    def _watchable(self, body: im_services.WatchableBody) -> im_services.WatchableAnswer:
        return im_services.WatchableAnswer(
            [
                [uid for uid in each.uids if (each.uid, uid) not in self.strangers]
                for each in body.watchers
            ]
        )

    def _request(self, request: dict[str, Any]) -> bytes:
        self.requests.append(request)
        if request["op"] == "send":
            self.numbers[request["conv"]] += 1
            return encode_json({"conv": request["conv"], "seq": self.numbers[request["conv"]]})
        return encode_json({"op": request["op"]})

    def _open(self, uid: str, body: im_services.OpenBody) -> OpenAnswer:
        head = len(self.mailboxes[uid])
        hot = [
            HotStart(conv, group.head, body.hot.get(conv, group.head))
            for conv, group in self.groups.items()
            if group.hot and uid in group.members
        ]
        hot += [
            HotStart(conv, group.left[uid], body.hot[conv], left=True)
            for conv, group in self.groups.items()
            if body.hot.get(conv, group.head) < group.left.get(uid, 0)
        ]
        if body.since < 0:
            return OpenAnswer(self.epoch, head, head, "level", hot)
        if body.since > head or body.epoch != self.epoch:
            return OpenAnswer(self.epoch, head, head, "reset", hot)
        if head - body.since > THRESHOLD:
            return OpenAnswer(self.epoch, head, head, "behind", hot)
        return OpenAnswer(self.epoch, head, body.since, "level", hot)

    def _sync(self, uid: str, body: im_services.SyncBody) -> SyncAnswer:
        conv = hot_group(body.stream)
        if conv is None:
            return self._sync_mailbox(uid, body)
        group = self.groups.get(conv, Group([]))
        if uid not in group.members and uid not in group.left:
            raise RequestError(ErrorCode.NOT_MEMBER)
        head = group.left.get(uid, group.head)
        if body.since > head:
            raise RequestError(ErrorCode.BAD_CURSOR)
        numbers = sorted(seq for seq in group.on_hot if body.since < seq <= head)[: body.limit]
        return SyncAnswer(self.epoch, head, 1, [(n, group.frames[n - 1]) for n in numbers])

    def _sync_mailbox(self, uid: str, body: im_services.SyncBody) -> SyncAnswer:
        assert body.stream == MAILBOX
        frames, oldest = self.mailboxes[uid], self.oldest.get(uid, 1)
        if body.since > len(frames):
            raise RequestError(ErrorCode.BAD_CURSOR)
        first = max(body.since + 1, oldest)
        found = [(n, frames[n - 1]) for n in range(first, len(frames) + 1)]
        return SyncAnswer(self.epoch, len(frames), oldest, found[: body.limit])

    def _tails(self, body: im_services.TailsBody) -> TailsAnswer:
        mailboxes = [len(self.mailboxes[uid]) for uid in body.uids]
        hot = [self.groups[conv].head if conv in self.groups else 0 for conv in body.hot]
        return TailsAnswer(mailboxes, hot)


def _frame(conv: str, seq: int, kind: str, body: dict[str, Any]) -> bytes:
    return message(
        conv,
        seq,
        kind=kind,
        uid="bob",
        name="Bob",
        ts_ms=NOW_MS,
        mid=f"m{seq}",
        body=encode_json(body),
    )
