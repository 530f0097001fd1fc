#!lua flags=no-writes
--include
-- KEYS: counts, members. ARGV: "version\0instance", the member behind which to begin or '', how many.
-- Returns the members of each incarnation of the instance, at most so many of each, in the order of their bytes.
local COUNTS, MEMBERS = KEYS[1], KEYS[2]
local place, after, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- Lua compares strings by the server's locale, Redis the members of a sorted set by their bytes.
local function is_behind(member)
  for i = 1, math.min(#member, #after) do
    local mine, other = string.byte(member, i), string.byte(after, i)
    if mine ~= other then return mine > other end
  end
  return #member > #after
end

-- Members of one score are in order: the rank of the first of [first, last) behind after, by halving.
local function rank_behind(first, last)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if is_behind(redis.call('ZRANGE', MEMBERS, middle, middle)[1]) then last = middle else first = middle + 1 end
  end
  return first
end

local function members_of(number)
  local first = redis.call('ZCOUNT', MEMBERS, '-inf', '(' .. number)
  local last = first + redis.call('ZCOUNT', MEMBERS, number, number)
  first = rank_behind(first, last)
  last = math.min(last, first + limit)
  if first == last then return {} end
  return redis.call('ZRANGE', MEMBERS, first, last - 1)
end

local answer = {}
local all = redis.call('HGETALL', COUNTS)
for n = 1, #all, 2 do
  local incarnation = string.match(all[n], '^%d+')
  if string.sub(all[n], #incarnation + 2) == place then
    answer[#answer + 1] = members_of(string.match(all[n + 1], '%d+$'))
  end
end
return answer
