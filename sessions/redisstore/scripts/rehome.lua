#!lua
--include record slots instance choose
-- KEYS: eight of slots.lua; record, active, ended, history of the session.
-- ARGV: epoch, call, member, id, reason, certain ('1', '0', or 'drained'), alive within, slots of an instance, isolation; candidates of choose.lua.
local call, member, id = ARGV[2], ARGV[3], ARGV[4]
local now, stored = clock(), redis.call('GET', KEYS[SESSION])
local r = decode(stored)
if not r then return {'NOTFOUND'} end
local ends = stored_deadline(r, redis.call('ZSCORE', DEADLINES, member))
if now >= ends then
  expire(SESSION, member, id, r, ends, now)
  return {'NOTFOUND'}
end
if int(r.epoch) ~= ARGV[1] then
  -- Either another replica was faster, or the client lost this call's answer and sends it again.
  return {r.move == call and 'OK' or 'MOVED', stored, ends, now, 0}
end
local function alive()
  local place = place_of(r.version, r.id)
  if ARGV[6] == 'drained' then
    local stay = draining(MARKS, place, int(r.incarnation))
    return not stay or now < stay
  end
  local home = decode_instance(redis.call('HGET', INSTANCES, place))
  return home and ARGV[6] ~= '1' and home.incarnation == r.incarnation and home.gone == 0 and home.lost == 0
    and now < home.healthy + tonumber(ARGV[7])
end
if alive() then return {'ALIVE'} end
local slot = slot_of(r.version, r.id, int(r.incarnation))
local to = choose(10, tonumber(ARGV[8]), ARGV[9] == '1', slot, now)
if not to then return {'FULL'} end

release(slot, member)
take(to.slot, member)
r.epoch, r.modified, r.event, r.reason, r.from, r.move = r.epoch + 1, now, 2, ARGV[5], r.id, call
r.version, r.id, r.incarnation = to.version, to.id, tonumber(to.incarnation)
if r.epoch > (tonumber(redis.call('HGET', MARKS, 'epoch')) or 0) then redis.call('HSET', MARKS, 'epoch', int(r.epoch)) end
stored = encode(r)
redis.call('SET', KEYS[SESSION], stored)
return {'OK', stored, ends, now, 0}
