-- Register a connection of a user.
-- KEYS: routes; ARGV: node (of another region: REGION/node), incarnation, connection, device (may be empty), most routes, ttl_ms
-- Routes are lines "node incarnation connection[ device]"; a node's older lives go with its new one.
local added = ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3]
local node, life = ARGV[1] .. ' ', ARGV[1] .. ' ' .. ARGV[2] .. ' '
local kept = {}
for line in string.gmatch(redis.call('GET', KEYS[1]) or '', '[^\n]+') do
  local same = line == added or string.sub(line, 1, #added + 1) == added .. ' '
  local dead = string.sub(line, 1, #node) == node and string.sub(line, 1, #life) ~= life
  if not same and not dead then kept[#kept + 1] = line end
end
kept[#kept + 1] = ARGV[4] == '' and added or added .. ' ' .. ARGV[4]
local first = math.max(1, #kept - tonumber(ARGV[5]) + 1)
redis.call('SET', KEYS[1], table.concat(kept, '\n', first), 'PX', ARGV[6])
