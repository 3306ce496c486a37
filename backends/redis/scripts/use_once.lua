-- Use an id once.
-- KEYS: the id; ARGV: the number of this use, ttl_ms
-- Returns: 1 to the first use, also when it is sent again; 0 to any other
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end
return 0
