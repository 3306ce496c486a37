-- Give a duty up, if it is held by this holder. KEYS: duty; ARGV: holder
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
