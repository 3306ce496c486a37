-- Keep revocations; forget those that are over.
-- KEYS: entries (hash: subject -> before until uid), index (subjects by version), until (subjects by
--       the time when they are forgotten), version
-- ARGV: now_ms, then for each: subject, before_ms, until_ms, uid
local entries, index, untils, versions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = tonumber(ARGV[1])

for _, subject in ipairs(redis.call('ZRANGEBYSCORE', untils, '-inf', now, 'LIMIT', 0, 1000)) do
  redis.call('HDEL', entries, subject)
  redis.call('ZREM', index, subject)
  redis.call('ZREM', untils, subject)
end

-- At least the time in microseconds: after a loss of the data no version comes again.
local time = redis.call('TIME')
local version = math.max(tonumber(redis.call('GET', versions) or 0),
  time[1] * 1000000 + time[2])
for i = 2, #ARGV, 4 do
  local subject, before, till, uid = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), ARGV[i + 3]
  local known = redis.call('HGET', entries, subject)
  if known then
    local b, u, name = string.match(known, '^(%d+) (%d+) (.*)$')
    before, till = math.max(before, tonumber(b)), math.max(till, tonumber(u))
    if uid == '' then uid = name end
  end
  local entry = string.format('%.0f %.0f %s', before, till, uid)
  if entry ~= known and till > now then
    version = version + 1
    redis.call('HSET', entries, subject, entry)
    redis.call('ZADD', index, version, subject)
    redis.call('ZADD', untils, till, subject)
    redis.call('SET', versions, string.format('%.0f', version))
  end
end

local last = redis.call('ZREVRANGE', untils, 0, 0, 'WITHSCORES')[2]
if last then
  for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], math.max(1, tonumber(last) - now)) end
end
return 1
