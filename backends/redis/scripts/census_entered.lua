-- Take what has been reported of who came in since the last time.
-- KEYS: how many entered, who entered. Returns: how many, names
local count = redis.call('GET', KEYS[1])
local names = redis.call('LRANGE', KEYS[2], 0, -1)
redis.call('DEL', KEYS[1], KEYS[2])
return {tonumber(count or 0), names}
