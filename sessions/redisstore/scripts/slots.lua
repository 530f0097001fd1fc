-- The session slots of instances: the first eight keys of every script that takes or gives back one.
local DEADLINES, MEMBERS, COUNTS, INSTANCES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local MARKS, PURGE, ENDED_THERE, IN_FLIGHT = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local SESSION = 9 -- where the keys of the first session begin: record, active, ended, history

local function slot_of(version, id, incarnation)
  return incarnation .. '\0' .. version .. '\0' .. id
end

-- A count is '<sessions> <number>'; the number is the score of the instance's sessions in MEMBERS.
local function count_of(value)
  if not value then return 0 end
  return tonumber(string.match(value, '^%d+')), string.match(value, '%d+$')
end

local function take(slot, member)
  local n, number = count_of(redis.call('HGET', COUNTS, slot))
  number = number or int(redis.call('HINCRBY', MARKS, 'number', 1))
  redis.call('HSET', COUNTS, slot, int(n + 1) .. ' ' .. number)
  redis.call('ZADD', MEMBERS, number, member)
end

-- Only the one who removes the member gives its slot back, so that none is given back twice.
local function release(slot, member)
  if redis.call('ZREM', MEMBERS, member) == 0 then return end
  local n, number = count_of(redis.call('HGET', COUNTS, slot))
  if n > 1 then
    redis.call('HSET', COUNTS, slot, int(n - 1) .. ' ' .. number)
  else
    redis.call('HDEL', COUNTS, slot)
  end
end

-- finish takes a session out of everything that is about Active ones. first: where its keys begin.
local function finish(first, member, id, r)
  release(slot_of(r.version, r.id, int(r.incarnation)), member)
  redis.call('DEL', KEYS[first])
  redis.call('ZREM', DEADLINES, member)
  redis.call('ZREM', KEYS[first + 1], stamp(r.created) .. id)
end

-- entry_of is an ended record in the indices ENDED_THERE and PURGE. The lengths keep one instance's entries together
-- and apart from every other's.
local function entry_of(r, member)
  return struct.pack('>I2c0I2c0', #r.version, r.version, #r.id, r.id) .. stamp(r.created) .. member .. stamp(r.epoch)
end

-- hold keeps an ended record until a purge finds it over. The key's TTL is a safety net, for a function that nobody
-- sweeps any more: never shorter than what the hash holds.
local function hold(history, entry, over, now)
  redis.call('ZADD', PURGE, int(over), entry)
  local ms = math.floor((math.max(over - now, 0) + HOUR) / 1000)
  if redis.call('PTTL', history) < ms then redis.call('PEXPIRE', history, int(ms)) end
end

-- keep lists a finished session as ended, and blocks its ID if its settings say so. A deleted one is listed only while
-- requests of it run, and blocks nothing.
local function keep(first, member, id, r, now)
  local history, noreuse = KEYS[first + 3], has(r, NO_REUSE) and not has(r, DELETED)
  local over = r.ended + (noreuse and 72 or 24) * HOUR
  if has(r, DELETED) then over = lease(IN_FLIGHT, r, member) end
  redis.call('HSET', history, int(r.epoch), encode(r))
  if noreuse then redis.call('HSET', history, 'block', int(over)) end
  local entry = entry_of(r, member)
  redis.call('ZADD', KEYS[first + 2], 0, stamp(r.created) .. id .. stamp(r.epoch))
  redis.call('ZADD', ENDED_THERE, 0, entry)
  hold(history, entry, over, now)
end

-- A reservation's ID begins with a byte that no other has: see sessions.ReservedKey. No listing has one.
local function reserved(id) return string.byte(id) == 0 end

-- expire ends a session at its deadline.
local function expire(first, member, id, r, at, now)
  finish(first, member, id, r)
  if reserved(id) then return end
  r.ended = at
  keep(first, member, id, r, now)
end
