-- Number a message and keep it, unless its sender has sent it before, or may not.
-- KEYS: head, seen, log of this priority, logs of the other priorities, heat
--       where there are terms: moderation, its ends, spoke (when the sender may speak again);
--       where there is a receipt: its key
-- ARGV: priority, push, ts_ms, token, most messages, age_ms, head_age_ms, seen_age_ms
--       where there are terms: sender, its rank, 1 if slow mode counts; mid, ms for which the
--       receipt is remembered; most entries, the entry that changes, its text, when it ends (0: not),
--       the rank of who changes it
--       The token is new for each call of `append`. It becomes the epoch where there is none, and
--       tells a call that is sent again, its answer being lost, from a sender that repeats itself.
-- Returns: epoch, seq, ts_ms, priority, 1 if the sender has sent it before, the room's rule (state,
--          pool, fence): this step numbers the message and says which ways it goes
--          or why not, and a number: banned or muted and until when, slow and for how many ms, used,
--          full, outranked and by which rank
local head, seen, log = KEYS[1], KEYS[2], KEYS[3]
local priority, push, ts = ARGV[1], ARGV[2], ARGV[3]
local rule = redis.call('HMGET', KEYS[6], 'state', 'pool', 'fence')

local function answer_of(text)
  local e, s, t, p, token = string.match(text, '^(%S+) (%d+) (%d+) (%d) (%S+)')
  return {e, tonumber(s), tonumber(t), tonumber(p), token == ARGV[4] and 0 or 1, rule}
end
local first = redis.call('GET', seen)
if first then return answer_of(first) end

local receipt = KEYS[10]
if receipt then
  local used = redis.call('GET', receipt)
  if used then
    if string.match(used, '(%S+)$') ~= ARGV[12] then return {'used', 0} end
    return answer_of(used)
  end
end

-- An entry begins with: when it ends (0: not), the rank of who made it, an interval.
local function entry(text)
  local ends, rank, interval = string.match(text or '', '^(%d+) (%d+) (%d+)')
  ends = tonumber(ends)
  if not ends or (ends > 0 and ends <= tonumber(ts)) then return nil end
  return {ends = ends, rank = tonumber(rank), interval = tonumber(interval)}
end
local spoke_ms = 0
local changed = ARGV[15]
if ARGV[9] then
  local found = redis.call('HMGET', KEYS[7], 'ban:' .. ARGV[9], 'mute:' .. ARGV[9], 'slow:')
  local ban, mute, slow = entry(found[1]), entry(found[2]), entry(found[3])
  -- Its node may not have learned yet that it has to send the sender out.
  if ban and tonumber(ARGV[10]) < ban.rank then return {'banned', ban.ends} end
  if mute and tonumber(ARGV[10]) < mute.rank then return {'muted', mute.ends} end
  if slow and ARGV[11] == '1' and ARGV[10] == '0' then
    local wait_ms = redis.call('PTTL', KEYS[9])
    if wait_ms > 0 then return {'slow', wait_ms} end
    spoke_ms = slow.interval
  end
end
if changed then
  local kept = entry(redis.call('HGET', KEYS[7], changed))
  if kept and kept.rank > tonumber(ARGV[18]) then return {'outranked', kept.rank} end
  for _, over in ipairs(redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', ts, 'LIMIT', 0, 1000)) do
    redis.call('HDEL', KEYS[7], over)
    redis.call('ZREM', KEYS[8], over)
  end
  if ARGV[16] ~= '' and redis.call('HLEN', KEYS[7]) >= tonumber(ARGV[14])
    and redis.call('HEXISTS', KEYS[7], changed) == 0 then
    return {'full', 0}
  end
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
local stands = table.concat({epoch, seq, ts, priority, ARGV[4]}, ' ')
redis.call('SET', seen, stands, 'PX', ARGV[8])
if receipt then redis.call('SET', receipt, stands .. ' ' .. ARGV[12], 'PX', ARGV[13]) end
if spoke_ms > 0 then redis.call('SET', KEYS[9], '', 'PX', spoke_ms) end
if changed then
  redis.call('ZREM', KEYS[8], changed)
  if ARGV[16] == '' then
    redis.call('HDEL', KEYS[7], changed)
  else
    redis.call('HSET', KEYS[7], changed, ARGV[16])
    if ARGV[17] ~= '0' then redis.call('ZADD', KEYS[8], ARGV[17], changed) end
  end
  -- Both live as long as what ends last.
  for _, key in ipairs({KEYS[7], KEYS[8]}) do
    local last = redis.call('ZREVRANGE', KEYS[8], 0, 0, 'WITHSCORES')[2]
    if last and redis.call('ZCARD', KEYS[8]) == redis.call('HLEN', KEYS[7]) then
      redis.call('PEXPIRE', key, string.format('%.0f', tonumber(last) - tonumber(ts)))
    else
      redis.call('PERSIST', key)
    end
  end
end
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
