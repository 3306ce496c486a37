-- Give back an idempotency key whose attempt came to nothing.
-- KEYS: the key's hash; ARGV: the attempt's id
if redis.call('HGET', KEYS[1], 'use') ~= ARGV[1] then return 0 end
if redis.call('HEXISTS', KEYS[1], 'answer') == 1 then return 0 end
return redis.call('DEL', KEYS[1])
