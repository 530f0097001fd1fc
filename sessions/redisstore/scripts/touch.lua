#!lua flags=allow-oom
--include record
-- KEYS: deadlines, in flight; the record of each touch; the history of each touch with requests in flight.
-- ARGV: for how many µs a touch stands for requests in flight; then of each touch: member, epoch, age in µs, whether the
-- event was delivered, and, for one with requests in flight, its epoch as it stands in the index, else ''.
-- Returns the positions, from 1, of those whose session is not Active with that epoch.
local DEADLINES, IN_FLIGHT, TOUCHES = KEYS[1], KEYS[2], (#ARGV - 1) / 5
local now, held = clock(), tonumber(ARGV[1])
local members, records = {}, {}
for i = 1, TOUCHES do
  members[i], records[i] = ARGV[5 * i - 3], KEYS[i + 2]
end
local stored, scores = redis.call('MGET', unpack(records)), redis.call('ZMSCORE', DEADLINES, unpack(members))
local postponed, leases, stale = {}, {}, {}

-- apply says whether the session, whose record has the touch's epoch, is Active.
local function apply(i, r)
  local ends = stored_deadline(r, scores[i])
  if now >= ends then return false end
  -- By the settings of now: a touch of before an update that made the life shorter comes to less than the update did.
  local later = deadline(r, now - tonumber(ARGV[5 * i - 1]))
  if later > ends or not scores[i] then
    postponed[#postponed + 1] = int(math.max(later, ends))
    postponed[#postponed + 1] = members[i]
  end
  if ARGV[5 * i] == '1' and r.event ~= 0 then
    r.event, r.reason, r.from = 0, '', ''
    redis.call('SET', records[i], encode(r))
  end
  return true
end

-- listed says whether a session that was swept or ended may be Ending. A deleted one whose last request was over is gone,
-- and does not come back with a late touch.
local function listed(i, history)
  local ok, r = pcall(decode, redis.call('HGET', history, ARGV[5 * i - 2]))
  return ok and r and (not has(r, DELETED) or lease(IN_FLIGHT, r, members[i]) > now)
end

local history = 2 + TOUCHES
for i = 1, TOUCHES do
  local ok, r = pcall(decode, stored[i]) -- one bad record harms no other touch, and says nothing about its session
  local live = ok and r and int(r.epoch) == ARGV[5 * i - 2]
  if ok and not (live and apply(i, r)) then stale[#stale + 1] = i end
  if ARGV[5 * i + 1] ~= '' then
    history = history + 1
    if live or listed(i, KEYS[history]) then
      leases[#leases + 1] = int(now + held)
      leases[#leases + 1] = ARGV[5 * i + 1] .. members[i]
    end
  end
end
-- GT, because one batch may hold several touches of one session.
if #postponed > 0 then redis.call('ZADD', DEADLINES, 'GT', unpack(postponed)) end
if #leases > 0 then
  redis.call('ZREMRANGEBYSCORE', IN_FLIGHT, '-inf', int(now))
  redis.call('ZADD', IN_FLIGHT, 'GT', unpack(leases))
  -- The whole key goes with its last lease, for a function that nobody touches any more; a second later, to be safe.
  redis.call('PEXPIRE', IN_FLIGHT, int(held / 1000 + 1000))
end
return stale
