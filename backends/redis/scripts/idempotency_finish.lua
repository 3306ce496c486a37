-- Keep the answer of the attempt that holds an idempotency key.
-- KEYS: the key's hash; ARGV: the attempt's id, the answer, keep_ms
if redis.call('HGET', KEYS[1], 'use') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'answer', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
