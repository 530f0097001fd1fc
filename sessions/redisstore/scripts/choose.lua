-- Which candidate takes a session. ARGV[first] is the version, then each candidate's ID and incarnation.

-- accepts says whether the registry lets this incarnation take a session, and returns the registry's record.
local function accepts(c)
  local i = decode_instance(redis.call('HGET', INSTANCES, place_of(c.version, c.id)))
  if not i or i.incarnation < tonumber(c.incarnation) then return true, nil end
  if i.incarnation > tonumber(c.incarnation) or i.used == 1 or i.gone > 0 then return false end
  if draining(MARKS, place_of(c.version, c.id), c.incarnation) then return false end
  return true, i
end

local function mark_used(c, known, now)
  local i = known or new_instance(tonumber(c.incarnation), now)
  i.used = 1
  redis.call('HSET', INSTANCES, place_of(c.version, c.id), encode_instance(i))
end

local function candidates(first, limit, except)
  local version, slots = ARGV[first], {}
  for i = first + 1, #ARGV, 2 do
    slots[#slots + 1] = slot_of(version, ARGV[i], ARGV[i + 1])
  end
  if #slots == 0 then return {} end
  local counts, with_room = redis.call('HMGET', COUNTS, unpack(slots)), {}
  for i, value in ipairs(counts) do
    local n = count_of(value)
    if n < limit and slots[i] ~= except then
      with_room[#with_room + 1] = {version = version, id = ARGV[first + 2 * i - 1], incarnation = ARGV[first + 2 * i], slot = slots[i], n = n, order = i}
    end
  end
  return with_room
end

local function before(a, b) return a.n < b.n or (a.n == b.n and a.order < b.order) end

-- choose returns the least loaded candidate with room, the first of equals, or nil. The registry is asked about the
-- winner only; the others are put in order only when it refuses.
local function choose(first, limit, isolation, except, now)
  local with_room = candidates(first, limit, except)
  local best = with_room[1]
  for _, c in ipairs(with_room) do
    if before(c, best) then best = c end
  end
  if not best then return nil end
  local ok, known = accepts(best)
  if not ok then
    table.sort(with_room, before)
    for i = 2, #with_room do
      best = with_room[i]
      ok, known = accepts(best)
      if ok then break end
    end
    if not ok then return nil end
  end
  if isolation then mark_used(best, known, now) end
  return best
end
