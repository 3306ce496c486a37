-- Return each node that has neither renewed in time nor resigned: its last lease, and for how many ms
-- nothing has been heard of it. Who has been silent for longer than that is kept is forgotten.
-- KEYS: heard (see lease_renew); ARGV: what the leases' keys begin with, heard_ms
local found = {}
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = KEYS[1] .. ':' .. node
  local last = redis.call('GET', key)
  if not last then
    redis.call('SREM', KEYS[1], node)
  elseif redis.call('EXISTS', ARGV[1] .. node) == 0 then
    table.insert(found, {last, ARGV[2] - redis.call('PTTL', key)})
  end
end
return found
