-- The session slots of instances: the first six keys of every script that takes or gives back one.
local DEADLINES, MEMBERS, COUNTS, INSTANCES, MARKS, PURGE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]

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

-- finish takes a session out of everything that is about Active ones. keys: record, active, ended, history.
local function finish(keys, first, member, id, r)
  release(slot_of(r.version, r.id, int(r.incarnation)), member)
  redis.call('DEL', keys[first])
  redis.call('ZREM', DEADLINES, member)
  redis.call('ZREM', keys[first + 1], stamp(r.created) .. id)
end

-- keep lists a finished session as ended, and blocks its ID if its settings say so.
local function keep(keys, first, member, id, r, now)
  local history, epoch = keys[first + 3], stamp(r.epoch)
  local noreuse = bit.band(r.flags, NO_REUSE) ~= 0
  local over = r.ended + (noreuse and 72 or 24) * HOUR
  redis.call('HSET', history, int(r.epoch), encode(r))
  if noreuse then redis.call('HSET', history, 'block', int(over)) end
  redis.call('ZADD', keys[first + 2], 0, stamp(r.created) .. id .. epoch)
  redis.call('ZADD', PURGE, int(over), epoch .. stamp(r.created) .. member)
  -- A safety net, for a function that nobody sweeps any more: never shorter than what the hash holds.
  local ms = math.floor((math.max(over - now, 0) + HOUR) / 1000)
  if redis.call('PTTL', history) < ms then redis.call('PEXPIRE', history, int(ms)) end
end

-- expire ends a session at its deadline.
local function expire(keys, first, member, id, r, at, now)
  finish(keys, first, member, id, r)
  r.ended = at
  keep(keys, first, member, id, r, now)
end
