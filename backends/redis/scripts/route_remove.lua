-- Remove exactly one connection of a user. KEYS: routes; ARGV: node, incarnation, connection
local removed = ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3]
local routes = redis.call('GET', KEYS[1])
if not routes then return end
local kept = {}
for line in string.gmatch(routes, '[^\n]+') do
  local same = line == removed or string.sub(line, 1, #removed + 1) == removed .. ' '
  if not same then kept[#kept + 1] = line end
end
if #kept == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], table.concat(kept, '\n'), 'KEEPTTL')
end
