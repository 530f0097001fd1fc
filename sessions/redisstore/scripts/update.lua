#!lua flags=allow-oom
--include record slots
-- KEYS: eight of slots.lua; record, active, ended, history of the session; the answer that this call got.
-- ARGV: member, id, ttl, idle, no reuse (each '' to stay as it is), for how many ms the answer is remembered.
local member, id, ANSWER = ARGV[1], ARGV[2], KEYS[SESSION + 4]
local now = clock()
-- An update counts as a use at its time, so the deadline follows from the record.
local function answer(bytes, r)
  return {'OK', bytes, r.ended == 0 and deadline(r, r.modified) or 0, now, lease(IN_FLIGHT, r, member)}
end

-- Sent again, an update must not undo another one that came between.
local stored = redis.call('GET', ANSWER)
if stored then return answer(stored, decode(stored)) end
stored = redis.call('GET', KEYS[SESSION])
local r = decode(stored)
if not r then return {'NOTFOUND'} end
local ends = stored_deadline(r, redis.call('ZSCORE', DEADLINES, member))
if now >= ends then
  expire(SESSION, member, id, r, ends, now)
  return {'NOTFOUND'}
end
r.ttl, r.idle, r.modified = tonumber(ARGV[3]) or r.ttl, tonumber(ARGV[4]) or r.idle, now
if ARGV[5] ~= '' then
  r.flags = bit.bor(bit.band(r.flags, bit.bnot(NO_REUSE)), ARGV[5] == '1' and NO_REUSE or 0)
end
ends = deadline(r, now)
if ends <= now then
  expire(SESSION, member, id, r, now, now)
else
  redis.call('SET', KEYS[SESSION], encode(r))
  redis.call('ZADD', DEADLINES, int(ends), member) -- in both directions, unlike a touch
end
stored = encode(r)
redis.call('SET', ANSWER, stored, 'PX', ARGV[6])
return answer(stored, r)
