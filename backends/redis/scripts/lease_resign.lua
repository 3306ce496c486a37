-- End a node's lease, unless another incarnation holds it.
-- KEYS: lease, index of nodes, orders to drain, pools, heard (see lease_renew), indexes of all
-- roles; ARGV: node, incarnation
local lease = redis.call('GET', KEYS[1])
local mine = ARGV[2] .. ' '
if lease and string.sub(lease, 1, #mine) == mine then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[2], ARGV[1])
  redis.call('SREM', KEYS[5], ARGV[1])
  redis.call('DEL', KEYS[5] .. ':' .. ARGV[1])
  for i = 6, #KEYS do redis.call('SREM', KEYS[i], ARGV[1]) end
  redis.call('HDEL', KEYS[3], ARGV[1])
  local pool = redis.call('HGET', KEYS[4], ARGV[1])
  if pool then
    redis.call('SREM', KEYS[4] .. ':' .. pool, ARGV[1])
    redis.call('HDEL', KEYS[4], ARGV[1])
  end
end
