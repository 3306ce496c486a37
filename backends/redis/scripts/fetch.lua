-- Read a part of one stream; what is too old is dropped first, so that it is never returned.
-- KEYS: head, log
-- ARGV: priority, epoch, first seq, last seq (0: up to the head), newest (0: as asked),
--       now_ms - age_ms, most entries
-- Returns: epoch, head seq, oldest seq, {seq-0, {'p', push, 't', ts}} ascending
local head, log = KEYS[1], KEYS[2]
local known = redis.call('HMGET', head, 'epoch', ARGV[1])
local epoch, last = known[1] or '', tonumber(known[2] or 0)

local too_old = tonumber(ARGV[6])
local oldest = last + 1
local done = false
repeat
  local entries = redis.call('XRANGE', log, '-', '+', 'COUNT', 64)
  done = #entries == 0
  for _, entry in ipairs(entries) do
    if tonumber(entry[2][4]) >= too_old then
      oldest = tonumber(string.match(entry[1], '^%d+'))
      done = true
      break
    end
    redis.call('XDEL', log, entry[1])
  end
until done

local newest = tonumber(ARGV[5])
local from, to = tonumber(ARGV[3]), tonumber(ARGV[4])
if newest > 0 then
  from, to = last - newest + 1, last
elseif epoch ~= ARGV[2] then
  return {epoch, last, oldest, {}}
end
if from < 1 then from = 1 end
if to == 0 or to > last then to = last end
if from > to then
  return {epoch, last, oldest, {}}
end
-- '%.0f': Lua would write large numbers with an exponent.
local entries = redis.call('XRANGE', log, string.format('%.0f', from), string.format('%.0f', to),
  'COUNT', ARGV[7])
return {epoch, last, oldest, entries}
