"""Chat of a lively room, as logic hands it on: what a compressor has to work with."""

import random

import msgspec

from proto import server_frames
from proto.priorities import Priority

JOINED = 10
WORDS = [
    "the",
    "a",
    "of",
    "and",
    "this",
    "that",
    "is",
    "it",
    "you",
    "we",
    "love",
    "play",
    "game",
    "song",
    "stream",
    "gift",
    "host",
    "night",
    "level",
    "boss",
    "wow",
    "hello",
    "again",
    "really",
    "nice",
    "good",
    "luck",
    "who",
    "where",
    "from",
    "next",
    "more",
    "please",
    "everyone",
    "tonight",
]


class Chat:
    """Rounds of chat as a lively room has them: other people, other words, other ids each time."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._seq = 48_000

    def round(self) -> bytes:
        """Return the joined message of the next ten."""
        return server_frames.message(self._one() for _ in range(JOINED))

    def _one(self) -> bytes:
        rng, self._seq = self._rng, self._seq + 1
        fields = {
            "uid": f"user-{rng.randrange(10**7)}",
            "name": f"{rng.choice(WORDS).title()}{rng.randrange(1000)}",
            "role": "viewer",
            "text": " ".join(rng.choices(WORDS, k=rng.randrange(3, 14))),
            "mid": f"{rng.getrandbits(64):016x}",
            "ts": 1_790_000_000_000 + self._seq * 7,
            "trace": f"{rng.getrandbits(64):016x}",
        }
        push = server_frames.room_push(
            "chat", "live-10042", Priority.NORMAL, msgspec.json.encode(fields)
        )
        return server_frames.numbered(push, "k3x9", self._seq)
