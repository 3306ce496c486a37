"""What was used, in Redis: a key for each id, which expires by the server's own clock."""

from backends.redis.client import RedisClient
from backends.redis.scripts import script
from proto.ids import RandomBits, new_id

_USE = script("use_once")


class RedisOneUse:
    """Implements `OneUse`.

    A command whose answer was lost is sent again, so each use has a number of its own: the same use
    again is no second one.
    """

    def __init__(self, redis: RedisClient, random_bits: RandomBits) -> None:
        self._redis = redis
        self._random_bits = random_bits

    async def use(self, token_id: str, ttl_s: float) -> bool:
        """See `OneUse`."""
        keys = [f"rm:used:{token_id}"]
        command = _USE.command(keys, new_id(self._random_bits), round(ttl_s * 1000))
        return bool(await self._redis.call(token_id, command))
