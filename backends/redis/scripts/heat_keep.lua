-- Keep what the heat machine needs to go on, if the rule is still the caller's.
-- KEYS: heat
-- ARGV: fence, detail
-- Returns: 1 if kept
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'detail', ARGV[2])
return 1
