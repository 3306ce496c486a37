"""What is kept of a pack that no consumer could handle."""

import msgspec

MAX_REASON_CHARS = 500


class DeadLetter(msgspec.Struct, frozen=True):
    """A buried pack: where it was consumed, why it was buried, and its body, byte for byte.

    On the dead-letter topic it is a JSON object with `body` in base64. `ts_ms` is Unix time.
    """

    topic: str
    group: str
    reason: str
    attempts: int
    ts_ms: int
    body: bytes

    def encode(self) -> bytes:
        """Return the text that goes on the dead-letter topic."""
        reason = self.reason[:MAX_REASON_CHARS]
        return msgspec.json.encode(msgspec.structs.replace(self, reason=reason))

    @classmethod
    def decode(cls, text: bytes) -> "DeadLetter":
        """Return the letter that `encode` wrote; raises `msgspec.DecodeError`."""
        return msgspec.json.decode(text, type=cls)
