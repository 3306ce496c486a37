-- Take a rule out of the rules, unless a newer one is there.
-- KEYS: index, version
-- ARGV: room, fence
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and tonumber(string.match(known, '^%d+')) <= tonumber(ARGV[2]) then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('INCR', KEYS[2])
end
return 1
