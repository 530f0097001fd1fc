#!lua
--include record slots instance choose
-- KEYS: eight of slots.lua; record, active, ended, history of the session; qualifiers.
-- ARGV: mode, call, member, id, flags, affinity, ttl, idle, slots of an instance, isolation, name, fingerprint; candidates
-- of choose.lua.
local mode, call, member, id, fingerprint = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[12]
local HISTORY, QUALIFIERS = KEYS[SESSION + 3], KEYS[SESSION + 4]
local now, stored = clock(), redis.call('GET', KEYS[SESSION])
local old = decode(stored)
local active, ends = old, 0
if old then
  ends = stored_deadline(old, redis.call('ZSCORE', DEADLINES, member))
  if now >= ends then
    expire(SESSION, member, id, old, ends, now)
    active, ends = nil, 0
  elseif old.call == call then
    return {'NEW', stored, ends, now, 0} -- the client lost this call's answer and sends it again
  end
end

-- The youngest record of the ID that was made with a fingerprint: the Active one, or one that has ended.
local function youngest()
  if active and active.fingerprint ~= '' then return active, stored end
  local found, bytes
  local all = redis.call('HGETALL', HISTORY)
  for n = 1, #all, 2 do
    local r = all[n] ~= 'block' and decode(all[n + 1])
    if r and r.fingerprint ~= '' and not has(r, DELETED) and (not found or r.epoch > found.epoch) then
      found, bytes = r, all[n + 1]
    end
  end
  return found, bytes
end

if mode == 'create' and fingerprint ~= '' then
  local same, bytes = youngest()
  if same and same.fingerprint ~= fingerprint then return {'MISMATCH'} end
  if same then return {'HIT', bytes, ends, now, lease(IN_FLIGHT, same, member)} end
end
if active then return {mode == 'create' and 'EXISTS' or 'HIT', stored, ends, now, 0} end
if mode == 'existing' then return {'NOTFOUND'} end
local block = redis.call('HGET', HISTORY, 'block')
if block and now < tonumber(block) then return {'REUSE'} end
local home = choose(13, tonumber(ARGV[9]), ARGV[10] == '1', nil, now)
if not home then return {'FULL'} end

local epoch = math.max(now, (tonumber(redis.call('HGET', MARKS, 'epoch')) or 0) + 1, old and old.epoch + 1 or 0)
local r = {
  -- A replica of before, which sweeps a reservation like any session, lists nothing that is deleted.
  flags = bit.bor(tonumber(ARGV[5]), reserved(id) and DELETED or 0), affinity = tonumber(ARGV[6]), event = 1, epoch = epoch, created = now, modified = now, ended = 0,
  ttl = tonumber(ARGV[7]), idle = tonumber(ARGV[8]), call = call,
  version = home.version, id = home.id, incarnation = tonumber(home.incarnation), reason = '', from = '', move = '',
  name = ARGV[11], fingerprint = fingerprint,
}
local record = encode(r)
ends = deadline(r, now)
redis.call('HSET', MARKS, 'epoch', int(epoch))
take(home.slot, member)
redis.call('SET', KEYS[SESSION], record)
redis.call('ZADD', DEADLINES, int(ends), member)
if not reserved(id) then
  redis.call('ZADD', KEYS[SESSION + 1], 0, stamp(now) .. id)
  redis.call('SADD', QUALIFIERS, string.sub(member, 1, #member - #id - 1))
end
return {'NEW', record, ends, now, 0}
