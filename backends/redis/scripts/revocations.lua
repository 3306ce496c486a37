-- What was revoked after a version, the oldest first.
-- KEYS: entries, index
-- ARGV: version, most
-- Returns: a list of version, subject, entry, one after the other
local found = {}
local rows = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES',
  'LIMIT', 0, ARGV[2])
for i = 1, #rows, 2 do
  local entry = redis.call('HGET', KEYS[1], rows[i])
  if entry then
    found[#found + 1] = string.format('%.0f', tonumber(rows[i + 1]))
    found[#found + 1] = rows[i]
    found[#found + 1] = entry
  end
end
return found
