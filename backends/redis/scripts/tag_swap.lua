-- Set a room's tag, unless it is no longer what it was when it was read.
-- KEYS: tags (hash room -> tag); ARGV: room, tag as it was read, tag to be, each '' for none
-- Returns: 1 where the tag is what it was to be, also when this is sent again; 0 where it is not
local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if known ~= ARGV[2] and known ~= ARGV[3] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
