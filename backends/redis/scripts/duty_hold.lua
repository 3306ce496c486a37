-- Take or renew a duty.
-- KEYS: duty, fence; ARGV: holder, ttl_ms
-- Returns: the fencing number, or nothing while somebody else holds the duty
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(redis.call('GET', KEYS[2]))
end
if holder then return false end
local fence = redis.call('INCR', KEYS[2])
-- At least the time, so that it grows also when the store has lost its data.
local now = redis.call('TIME')
local now_ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
if fence < now_ms then
  fence = now_ms
  redis.call('SET', KEYS[2], string.format('%.0f', fence))
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return fence
