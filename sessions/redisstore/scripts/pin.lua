#!lua
--include record slots instance choose
-- KEYS: six of slots.lua; record, active, ended, history of the session.
-- ARGV: mode, call, member, id, flags, affinity, ttl, idle, slots of an instance, isolation; candidates of choose.lua.
local mode, call, member, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now, stored = clock(), redis.call('GET', KEYS[7])
local old = decode(stored)
if old then
  local ends = stored_deadline(old, redis.call('ZSCORE', DEADLINES, member))
  if now < ends then
    local answer = 'HIT'
    if old.call == call then
      answer = 'NEW' -- the client lost this call's answer and sends it again
    elseif mode == 'create' then
      answer = 'EXISTS'
    end
    return {answer, stored, ends, now}
  end
  expire(KEYS, 7, member, id, old, ends, now)
end
if mode == 'existing' then return {'NOTFOUND'} end
local block = redis.call('HGET', KEYS[10], 'block')
if block and now < tonumber(block) then return {'REUSE'} end
local home = choose(11, tonumber(ARGV[9]), ARGV[10] == '1', nil, now)
if not home then return {'FULL'} end

local epoch = math.max(now, (tonumber(redis.call('HGET', MARKS, 'epoch')) or 0) + 1, old and old.epoch + 1 or 0)
local r = {
  flags = tonumber(ARGV[5]), affinity = tonumber(ARGV[6]), event = 1, epoch = epoch, created = now, modified = now, ended = 0,
  ttl = tonumber(ARGV[7]), idle = tonumber(ARGV[8]), call = call,
  version = home.version, id = home.id, incarnation = tonumber(home.incarnation), reason = '', from = '', move = '',
}
local ends, record = deadline(r, now), encode(r)
redis.call('HSET', MARKS, 'epoch', int(epoch))
take(home.slot, member)
redis.call('SET', KEYS[7], record)
redis.call('ZADD', DEADLINES, int(ends), member)
redis.call('ZADD', KEYS[8], 0, stamp(now) .. id)
return {'NEW', record, ends, now}
