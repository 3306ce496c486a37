-- Take a node off the index, its role's and its pool whose lease has run out, unless it has renewed
-- meanwhile.
-- KEYS: lease, index of nodes, pools (see lease_renew), indexes of all roles; ARGV: node
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[2], ARGV[1])
  for i = 4, #KEYS do redis.call('SREM', KEYS[i], ARGV[1]) end
  local pool = redis.call('HGET', KEYS[3], ARGV[1])
  if pool then
    redis.call('SREM', KEYS[3] .. ':' .. pool, ARGV[1])
    redis.call('HDEL', KEYS[3], ARGV[1])
  end
end
