-- Note which version of the rules a gateway goes by; forget gateways that have been silent.
-- KEYS: acknowledgements
-- ARGV: gateway, version, age_ms
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', now_ms))
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at_ms = tonumber(string.match(all[i + 1], '%d+$'))
  if at_ms + tonumber(ARGV[3]) < now_ms then redis.call('HDEL', KEYS[1], all[i]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
