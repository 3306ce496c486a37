-- Order the life of a node that is known now to drain; returns its incarnation, or nothing.
-- KEYS: lease, orders to drain (hash node -> incarnation); ARGV: node, seconds to keep orders
local lease = redis.call('GET', KEYS[1])
if not lease then
  return false
end
local incarnation = string.match(lease, '^(%S+) ')
redis.call('HSET', KEYS[2], ARGV[1], incarnation)
redis.call('EXPIRE', KEYS[2], ARGV[2])
return incarnation
