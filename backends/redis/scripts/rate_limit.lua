-- Generic cell rate algorithm (ITU-T I.371): one number, the theoretical arrival time.
-- KEYS: limit; ARGV: now_ms, ms between two, burst
-- Returns: 0 if admitted, else how many ms to wait
local now, gap = tonumber(ARGV[1]), tonumber(ARGV[2])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = arrival - (tonumber(ARGV[3]) - 1) * gap - now
if wait > 0 then return math.ceil(wait) end
local reserved = arrival + gap
redis.call('SET', KEYS[1], string.format('%.3f', reserved), 'PX', math.ceil(reserved - now))
return 0
