-- Say that a node lives. Where nobody has said so for a while, the store was away or is new.
-- KEYS: lease, index of nodes, pulse, settling
-- ARGV: node, lease (incarnation, space, JSON), ttl_ms, pulse_ms
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
if not redis.call('SET', KEYS[3], '1', 'PX', ARGV[4], 'XX') then
  redis.call('SET', KEYS[4], '1', 'PX', ARGV[3])
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[4])
end
