"""Instant messages of the fake cluster: mailboxes that keep everything, without windows."""

from typing import Any

Frame = dict[str, Any]


class FakeMessages:
    """What was sent, the mailbox of each user, and what devices have acknowledged."""

    def __init__(self) -> None:
        self.epoch = "e1"
        self.threshold = 500
        self.away: Frame | None = None
        """The error of `ok.im` while there is one."""
        self.mailboxes: dict[str, list[Frame]] = {}
        self.sent: dict[tuple[str, str, str], Frame] = {}
        self.seqs: dict[str, int] = {}
        self.acked: dict[str, int] = {}
        self.acks: list[Frame] = []

    def say(self, conv: str, uid: str, mid: str, **fields: Any) -> tuple[Frame, dict[str, Frame]]:
        """Keep a message, once for each `mid`; returns the `ok`, and the pushes by receiver."""
        key = conv, uid, mid
        if key in self.sent:
            return self.sent[key], {}
        seq = self.seqs[conv] = self.seqs.get(conv, 0) + 1
        ok = {"conv": conv, "seq": seq, "id": f"{conv}/{seq}", "ts": 1, "mid": mid}
        self.sent[key] = ok
        frame = {"push": "message", "kind": "message", "uid": uid, "body": fields, **ok}
        people = conv.removeprefix("d:").split("|")
        return ok, {person: self._put(person, frame) for person in people}

    def open(self, uid: str, spec: Frame) -> tuple[Frame, list[Frame]]:
        """Return `ok.im` and the pushes that follow it."""
        if self.away is not None:
            return {"error": self.away}, []
        mailbox = self.mailboxes.setdefault(uid, [])
        head = len(mailbox)
        since = spec.get("since", self.acked.get(spec["device"], head))
        standing = "level"
        if spec.get("epoch", self.epoch) != self.epoch or since > head:
            since, standing = head, "reset"
        elif head - since > self.threshold:
            since, standing = head, "behind"
        ok = {"epoch": self.epoch, "head": head, "start": since, "standing": standing, "hot": {}}
        return ok, mailbox[since:]

    def sync(self, uid: str, frame: Frame) -> Frame:
        """Return the `ok` of `sync`."""
        mailbox, since = self.mailboxes[uid], frame["since"]
        ok = {"stream": "mailbox", "epoch": self.epoch, "head": len(mailbox), "oldest": 1}
        return {**ok, "frames": mailbox[since : since + frame["limit"]]}

    def acknowledge(self, device: str, frame: Frame) -> None:
        """Take an `ack`."""
        self.acks.append(frame)
        self.acked[device] = max(self.acked.get(device, 0), frame["n"])

    def _put(self, uid: str, frame: Frame) -> Frame:
        mailbox = self.mailboxes.setdefault(uid, [])
        mailbox.append({"stream": "mailbox", "n": len(mailbox) + 1, **frame})
        return mailbox[-1]
