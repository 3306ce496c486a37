-- Put a rule among the rules, unless one is there that is as new.
-- KEYS: index, version
-- ARGV: room, fence, rule
-- Returns: the version that has it
local known = redis.call('HGET', KEYS[1], ARGV[1])
local version = tonumber(redis.call('GET', KEYS[2]) or 0)
if known and version > 0 and tonumber(string.match(known, '^%d+')) >= tonumber(ARGV[2]) then
  return version
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
-- At least the time, so that no version that a gateway has acknowledged comes again after a loss.
local now = redis.call('TIME')
version = math.max(version + 1, now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('SET', KEYS[2], string.format('%.0f', version))
return version
