"""First answers in Redis: keys that expire."""

from backends.redis.client import RedisClient


class RedisAnswers:
    """Implements `Answers`; `age_s` is how long an answer is kept."""

    def __init__(self, redis: RedisClient, age_s: float = 300.0) -> None:
        self._redis = redis
        self._age_ms = round(age_s * 1000)

    async def recall(self, sender: str, mid: str) -> bytes | None:
        """See `Answers`."""
        answer: bytes | None = await self._redis.call(sender, ("GET", _key(sender, mid)))
        return answer

    async def remember(self, sender: str, mid: str, answer: bytes) -> None:
        """See `Answers`."""
        command = ("SET", _key(sender, mid), answer, "NX", "PX", self._age_ms)
        await self._redis.call(sender, command)


def _key(sender: str, mid: str) -> str:
    # The mid first: it has no colon, so that no two pairs make the same key.
    return f"rm:answer:{mid}:{sender}"
