-- Number a message and keep it, unless its sender has sent it before.
-- KEYS: head, seen, log of this priority, logs of the other priorities, heat
-- ARGV: priority, push, ts_ms, token, most messages, age_ms, head_age_ms, seen_age_ms
--       The token is new for each call of `append`. It becomes the epoch where there is none, and
--       tells a call that is sent again, its answer being lost, from a sender that repeats itself.
-- Returns: epoch, seq, ts_ms, priority, 1 if the sender has sent it before, the room's rule (state,
--          pool, fence): this step numbers the message and says which ways it goes
local head, seen, log = KEYS[1], KEYS[2], KEYS[3]
local priority, push, ts = ARGV[1], ARGV[2], ARGV[3]
local rule = redis.call('HMGET', KEYS[6], 'state', 'pool', 'fence')

local first = redis.call('GET', seen)
if first then
  local e, s, t, p, token = string.match(first, '^(%S+) (%d+) (%d+) (%d) (%S+)$')
  return {e, tonumber(s), tonumber(t), tonumber(p), token == ARGV[4] and 0 or 1, rule}
end

local epoch = redis.call('HGET', head, 'epoch')
if not epoch then
  -- The numbering starts anew: nothing of an older one may stay under the new numbers.
  epoch = ARGV[4]
  redis.call('HSET', head, 'epoch', epoch)
  redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
end

local seq = redis.call('HINCRBY', head, priority, 1)
redis.call('XADD', log, 'MAXLEN', '~', ARGV[5], seq .. '-0', 'p', push, 't', ts)
redis.call('SET', seen, table.concat({epoch, seq, ts, priority, ARGV[4]}, ' '), 'PX', ARGV[8])
if redis.call('PTTL', head) < tonumber(ARGV[7]) then redis.call('PEXPIRE', head, ARGV[7]) end
redis.call('PEXPIRE', log, ARGV[6])

-- Now and then drop what is too old, so that a quiet room does not keep a busy hour.
if seq % 16 == 0 then
  local too_old = tonumber(ts) - tonumber(ARGV[6])
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', 64)) do
    if tonumber(entry[2][4]) >= too_old then break end
    redis.call('XDEL', log, entry[1])
  end
end
return {epoch, seq, tonumber(ts), tonumber(priority), 0, rule}
