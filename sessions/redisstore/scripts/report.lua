#!lua
--include record instance
-- KEYS: instances, marks, counts.
-- ARGV: version, alive within, loss grace; then of each instance: id, url, start, health.
-- Returns the clock, then each record, its drain and its count. The rules are those of sessions.Registry.
local INSTANCES, MARKS, COUNTS = KEYS[1], KEYS[2], KEYS[3]
local UP, LOST, GONE = '1', '2', '3'
local RETENTION, FORGET_EVERY = 24 * HOUR, HOUR / 60
local version, alive_within, grace = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = clock()

local function next_incarnation()
  local incarnation = math.max(now, (tonumber(redis.call('HGET', MARKS, 'incarnation')) or 0) + 1)
  redis.call('HSET', MARKS, 'incarnation', int(incarnation))
  return incarnation
end

local function replace(i, start)
  local fresh = new_instance(math.max(next_incarnation(), i.incarnation + 1), now)
  fresh.healthy, fresh.url, fresh.start, fresh.before = i.healthy, i.url, start, i.start
  return fresh
end

-- same_program says whether an instance that was lost or gone, and answers again, is still the same program, as far as
-- the policy goes.
local function same_program(i, start, moved)
  local since = i.gone
  if i.lost > 0 and (since == 0 or i.lost < since) then since = i.lost end
  local over = now - since >= grace
  local proven = start ~= '' and start == i.start
  if i.gone > 0 and (moved or not proven) then return false end
  return not over or (proven and grace == 0)
end

local function up(i, start, moved)
  local restarted = start ~= '' and i.start ~= '' and start ~= i.start and start ~= i.before
  local away = i.gone > 0 or i.lost > 0
  if restarted or (away and not same_program(i, start, moved)) then
    i = replace(i, start)
  elseif i.start == '' then
    i.start = start
  end
  i.lost, i.gone, i.healthy = 0, 0, math.max(i.healthy, now)
  return i
end

local function apply(i, url, start, health)
  local moved = url ~= '' and url ~= i.url
  if url ~= '' then i.url = url end
  i.seen = now
  if health == UP then
    i = up(i, start, moved)
  elseif health == LOST and i.lost == 0 and now >= i.healthy + alive_within then
    i.lost = now
  elseif health == GONE and i.gone == 0 then
    i.gone = now
  end
  return i
end

-- Once a minute: instances that are gone, or that nobody has named, for the retention.
local function forget()
  if now < (tonumber(redis.call('HGET', MARKS, 'forget')) or 0) then return end
  redis.call('HSET', MARKS, 'forget', int(now + FORGET_EVERY))
  local all = redis.call('HGETALL', INSTANCES)
  for n = 1, #all, 2 do
    local i = decode_instance(all[n + 1])
    if (i.gone > 0 and i.gone + RETENTION <= now) or i.seen + RETENTION <= now then
      redis.call('HDEL', INSTANCES, all[n])
      redis.call('HDEL', MARKS, drain_of(all[n]))
    end
  end
end

local answer = {now}
for n = 4, #ARGV, 4 do
  local place = place_of(version, ARGV[n])
  local stored = redis.call('HGET', INSTANCES, place)
  local i = decode_instance(stored) or new_instance(next_incarnation(), now)
  if not stored then i.start = ARGV[n + 2] end
  local before = i.incarnation
  local bytes = encode_instance(apply(i, ARGV[n + 1], ARGV[n + 2], ARGV[n + 3]))
  redis.call('HSET', INSTANCES, place, bytes)
  i = decode_instance(bytes)
  if i.incarnation ~= before then redis.call('HDEL', MARKS, drain_of(place)) end
  answer[#answer + 1] = bytes
  answer[#answer + 1] = redis.call('HGET', MARKS, drain_of(place))
  answer[#answer + 1] = redis.call('HGET', COUNTS, int(i.incarnation) .. '\0' .. version .. '\0' .. ARGV[n])
end
forget()
return answer
