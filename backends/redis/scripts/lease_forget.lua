-- Take a node off the index whose lease has run out, unless it has renewed meanwhile.
-- KEYS: lease, index of nodes; ARGV: node
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[2], ARGV[1])
end
