-- Say that a node lives; returns 1 where this life of it is to drain. Where nobody has said so for a
-- while, the store was away or is new. An order for an earlier life is forgotten.
-- KEYS: lease, index of nodes, pulse, settling, orders to drain (hash node -> incarnation), index of
-- the nodes of its role, pools (hash access node -> pool; beside it `:POOL`, a set of nodes, for each),
-- heard (nodes that were heard of of late; beside it `:NODE`, what their lease was then)
-- ARGV: node, lease (incarnation, space, JSON), ttl_ms, pulse_ms, heard_ms; of an access node its pool
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[8], ARGV[1])
redis.call('SET', KEYS[8] .. ':' .. ARGV[1], ARGV[2], 'PX', ARGV[5])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('SADD', KEYS[6], ARGV[1])
if not redis.call('SET', KEYS[3], '1', 'PX', ARGV[4], 'XX') then
  redis.call('SET', KEYS[4], '1', 'PX', ARGV[3])
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[4])
end
-- Only the hash knows in which pool an earlier life was: its lease may have run out.
local pool, before = ARGV[6], redis.call('HGET', KEYS[7], ARGV[1])
if before and before ~= pool then
  redis.call('SREM', KEYS[7] .. ':' .. before, ARGV[1])
  redis.call('HDEL', KEYS[7], ARGV[1])
end
if pool then
  redis.call('HSETNX', KEYS[7], ARGV[1], pool)
  redis.call('SADD', KEYS[7] .. ':' .. pool, ARGV[1])
end
local ordered = redis.call('HGET', KEYS[5], ARGV[1])
if not ordered then
  return 0
end
local mine = ordered .. ' '
if string.sub(ARGV[2], 1, #mine) == mine then
  return 1
end
redis.call('HDEL', KEYS[5], ARGV[1])
return 0
