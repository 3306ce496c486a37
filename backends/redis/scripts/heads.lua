-- Read where a room's streams stand; a room that is new gets its epoch, so that whoever joins
-- before the first message is told the numbering that this message will have.
-- KEYS: head, logs of all priorities, heat
-- ARGV: fresh epoch, silent_ms
-- Returns: epoch and head of each priority; the room's rule (state, pool, fence, firsts, spread_ms)
local head = KEYS[1]
if redis.call('HSETNX', head, 'epoch', ARGV[1]) == 1 then
  -- The numbering starts anew: nothing of an older one may stay under the new numbers.
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
end
if redis.call('PTTL', head) < tonumber(ARGV[2]) then redis.call('PEXPIRE', head, ARGV[2]) end
return {
  redis.call('HMGET', head, 'epoch', 0, 1, 2),
  redis.call('HMGET', KEYS[5], 'state', 'pool', 'fence', 'firsts', 'spread_ms'),
}
