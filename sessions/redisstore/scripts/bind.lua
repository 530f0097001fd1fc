#!lua flags=allow-oom
--include record slots
-- KEYS: eight of slots.lua; record, active, ended, history of the reservation; the same of the session; qualifiers.
-- ARGV: epoch, member, id of the reservation; version, id, incarnation of its home; call; member, id, ttl, idle of the
-- session, and whether its ID may not be used again.
local BOUND = SESSION + 4 -- where the session's keys begin
local held, held_id, call, member, id = ARGV[2], ARGV[3], ARGV[7], ARGV[8], ARGV[9]
local now, above = clock(), 0

-- live returns the Active record, its bytes and its deadline; nil if there is none.
local function live(first, of, its_id)
  local stored = redis.call('GET', KEYS[first])
  local r = decode(stored)
  if not r then return nil end
  above = math.max(above, r.epoch)
  local ends = stored_deadline(r, redis.call('ZSCORE', DEADLINES, of))
  if now < ends then return r, stored, ends end
  expire(first, of, its_id, r, ends, now)
  return nil
end

local slot = live(SESSION, held, held_id)
if slot and int(slot.epoch) ~= ARGV[1] then slot = nil end
local old, stored, ends = live(BOUND, member, id)
if old then
  if old.call == call then return {'NEW', stored, ends, now, 0} end -- this reservation became it, the answer was lost
  if slot_of(old.version, old.id, int(old.incarnation)) ~= slot_of(ARGV[4], ARGV[5], ARGV[6]) then return {'EXISTS'} end
  if slot then finish(SESSION, held, held_id, slot) end
  return {'HIT', stored, ends, now, 0}
end
if not slot then return {'NOTFOUND'} end
local block = redis.call('HGET', KEYS[BOUND + 3], 'block')
if block and now < tonumber(block) then return {'REUSE'} end

-- First the session takes, then the reservation gives: an instance keeps its number in COUNTS.
take(slot_of(slot.version, slot.id, int(slot.incarnation)), member)
finish(SESSION, held, held_id, slot)
local r = slot
r.epoch = math.max(now, (tonumber(redis.call('HGET', MARKS, 'epoch')) or 0) + 1, above + 1)
r.created, r.modified, r.ttl, r.idle, r.call, r.move = now, now, tonumber(ARGV[10]), tonumber(ARGV[11]), call, ''
r.event, r.reason, r.from = 0, '', ''
r.flags = bit.bor(bit.band(r.flags, bit.bnot(bit.bor(NO_REUSE, DELETED))), ARGV[12] == '1' and NO_REUSE or 0)
stored, ends = encode(r), deadline(r, now)
redis.call('HSET', MARKS, 'epoch', int(r.epoch))
redis.call('SET', KEYS[BOUND], stored)
redis.call('ZADD', DEADLINES, int(ends), member)
redis.call('ZADD', KEYS[BOUND + 1], 0, stamp(now) .. id)
redis.call('SADD', KEYS[BOUND + 4], string.sub(member, 1, #member - #id - 1))
return {'NEW', stored, ends, now, 0}
