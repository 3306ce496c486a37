-- Say that rooms of a shard have changed, each under a number that was never used before.
-- KEYS: changed, counter; ARGV: rooms
for _, room in ipairs(ARGV) do
  redis.call('HSET', KEYS[1], room, redis.call('INCR', KEYS[2]))
end
