#!lua flags=allow-oom
--include record slots
-- KEYS: six of slots.lua; record, active, ended, history of the session; the answer that this call got.
-- ARGV: epoch, keep, member, id, for how many ms the answer is remembered.
local member, id = ARGV[3], ARGV[4]
local now = clock()
local answered = redis.call('GET', KEYS[11])
if answered then return {'OK', answered, 0, now} end
local stored = redis.call('GET', KEYS[7])
local r = decode(stored)
local ends = r and stored_deadline(r, redis.call('ZSCORE', DEADLINES, member))
if r and now >= ends then
  expire(KEYS, 7, member, id, r, ends, now)
  r = nil
end
if not r then
  -- Ended by such a call before: the same answer. One that expired was not ended by a call.
  stored = redis.call('HGET', KEYS[10], ARGV[1])
  r = decode(stored)
  if ARGV[2] == '1' and r and bit.band(r.flags, BY_CALL) ~= 0 then return {'OK', stored, 0, now} end
  return {'NOTFOUND'}
end
if int(r.epoch) ~= ARGV[1] then return {'MOVED', stored, ends, now} end
finish(KEYS, 7, member, id, r)
r.ended, r.flags = now, bit.bor(r.flags, BY_CALL)
stored = encode(r)
if ARGV[2] == '1' then
  keep(KEYS, 7, member, id, r, now)
else
  -- Nothing is left that could tell the same call, sent again, that it has succeeded.
  redis.call('SET', KEYS[11], stored, 'PX', ARGV[5])
end
return {'OK', stored, 0, now}
