-- Take an idempotency key for a request.
-- KEYS: the key's hash; ARGV: the request's digest, the attempt's id, hold_ms
-- Returns: {standing, the first answer or ''}, the standing `new`, `busy`, `done` or `other`
local request = redis.call('HGET', KEYS[1], 'request')
if not request then
  redis.call('HSET', KEYS[1], 'request', ARGV[1], 'use', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {'new', ''}
end
if request ~= ARGV[1] then return {'other', ''} end
local answer = redis.call('HGET', KEYS[1], 'answer')
if answer then return {'done', answer} end
if redis.call('HGET', KEYS[1], 'use') == ARGV[2] then return {'new', ''} end
return {'busy', ''}
