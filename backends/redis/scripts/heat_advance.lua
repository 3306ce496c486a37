-- Make a room's next rule, from the fence that the caller has seen.
-- KEYS: heat, head
-- ARGV: expected fence, state, pool, spread_ms, now_ms, detail, token, normal_age_ms
--       The token is new for each transition: it tells one that is sent again, its answer being
--       lost, from another's.
-- Returns: fence, first number of each priority under it; nothing where the fence is another
local heat = KEYS[1]
local known = redis.call('HMGET', heat, 'fence', 'token', 'firsts')
local fence = tonumber(known[1] or 0)
if known[2] == ARGV[7] then return {known[1], known[3]} end
if fence ~= tonumber(ARGV[1]) then return false end

-- At least the time: a store that has lost its data makes none that is older than what nodes know.
fence = string.format('%.0f', math.max(fence + 1, tonumber(ARGV[5])))
local firsts = {}
for i, seq in ipairs(redis.call('HMGET', KEYS[2], 0, 1, 2)) do
  firsts[i] = string.format('%.0f', tonumber(seq or 0) + 1)
end
firsts = table.concat(firsts, ' ')
redis.call('HSET', heat, 'state', ARGV[2], 'fence', fence, 'pool', ARGV[3], 'spread_ms', ARGV[4],
  'since_ms', ARGV[5], 'detail', ARGV[6], 'token', ARGV[7], 'firsts', firsts)
if ARGV[2] == 'normal' then
  redis.call('PEXPIRE', heat, ARGV[8])
else
  redis.call('PERSIST', heat)
end
return {fence, firsts}
