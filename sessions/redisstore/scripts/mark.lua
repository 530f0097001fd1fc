#!lua flags=allow-oom
--include record instance
-- KEYS: instances, marks, counts. ARGV: version, id, incarnation ('0': whichever lives there), whether it drains, for how
-- many µs its sessions may stay. Returns OK, the clock, the record, its drain and its count. Sent again it is the same
-- mark, a moment later.
local INSTANCES, MARKS, COUNTS = KEYS[1], KEYS[2], KEYS[3]
local place, wanted = place_of(ARGV[1], ARGV[2]), ARGV[3]
local now, stored = clock(), redis.call('HGET', INSTANCES, place)
local i = decode_instance(stored)
if not i or i.gone > 0 or (wanted ~= '0' and wanted ~= int(i.incarnation)) then return {'NOTFOUND'} end
local incarnation, field = int(i.incarnation), drain_of(place)
if ARGV[4] == '1' then
  local before = redis.call('HGET', MARKS, field)
  local since = before and string.match(before, '^' .. incarnation .. ' (%d+) ') or int(now)
  redis.call('HSET', MARKS, field, incarnation .. ' ' .. since .. ' ' .. int(now + tonumber(ARGV[5])))
else
  redis.call('HDEL', MARKS, field)
end
return {'OK', now, stored, redis.call('HGET', MARKS, field), redis.call('HGET', COUNTS, incarnation .. '\0' .. place)}
