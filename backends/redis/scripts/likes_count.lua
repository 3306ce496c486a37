-- Raise counters of a room to what they say; lower or equal counts change nothing.
-- KEYS: total, a key for each counter; ARGV: counter_ttl_ms, a count for each counter
-- Returns: the room's total
local raised = 0
for i = 2, #KEYS do
  local known = tonumber(redis.call('GET', KEYS[i]) or 0)
  local count = tonumber(ARGV[i])
  if count > known then
    raised = raised + count - known
    redis.call('SET', KEYS[i], ARGV[i], 'PX', ARGV[1])
  end
end
if raised > 0 then
  return redis.call('INCRBY', KEYS[1], string.format('%.0f', raised))
end
return tonumber(redis.call('GET', KEYS[1]) or 0)
