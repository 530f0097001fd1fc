#!lua flags=allow-oom
--include record slots
-- KEYS: eight of slots.lua; record, active, ended, history of the session; the answer that this call got.
-- ARGV: epoch, keep, member, id, for how many ms the answer is remembered.
local kept, member, id, ANSWER = ARGV[2] == '1', ARGV[3], ARGV[4], KEYS[SESSION + 4]
local now = clock()
local function answer(bytes, r) return {'OK', bytes, 0, now, lease(IN_FLIGHT, r, member)} end

local stored = redis.call('GET', ANSWER)
if stored then return answer(stored, decode(stored)) end
stored = redis.call('GET', KEYS[SESSION])
local r = decode(stored)
local ends = r and stored_deadline(r, redis.call('ZSCORE', DEADLINES, member))
if r and now >= ends then
  expire(SESSION, member, id, r, ends, now)
  r = nil
end
if not r then
  -- Ended by such a call before: the same answer. One that expired was not ended by a call.
  stored = redis.call('HGET', KEYS[SESSION + 3], ARGV[1])
  r = decode(stored)
  if kept and r and has(r, BY_CALL) and not has(r, DELETED) then return answer(stored, r) end
  return {'NOTFOUND'}
end
if int(r.epoch) ~= ARGV[1] then return {'MOVED', stored, ends, now, 0} end
local busy = lease(IN_FLIGHT, r, member) > now
finish(SESSION, member, id, r)
r.ended, r.flags = now, bit.bor(r.flags, BY_CALL, busy and not kept and DELETED or 0)
stored = encode(r)
if (kept or busy) and not reserved(id) then keep(SESSION, member, id, r, now) end
-- Nothing is left, or will be, that could tell the same call, sent again, that it has succeeded.
if not kept or reserved(id) then redis.call('SET', ANSWER, stored, 'PX', ARGV[5]) end
return answer(stored, r)
