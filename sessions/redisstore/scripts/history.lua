#!lua flags=no-writes
--include record
-- KEYS: deadlines, in flight; record, history of the session. ARGV: its member.
-- Returns the clock, then each record, its deadline while it is live, and until when it has requests in flight.
local member = ARGV[1]
local answer = {clock()}
local function add(bytes, r, ends)
  answer[#answer + 1] = bytes
  answer[#answer + 1] = ends
  answer[#answer + 1] = lease(KEYS[2], r, member)
end

local all = redis.call('HGETALL', KEYS[4])
for n = 1, #all, 2 do
  if all[n] ~= 'block' then add(all[n + 1], decode(all[n + 1]), 0) end
end
local stored = redis.call('GET', KEYS[3])
local r = decode(stored)
if r then add(stored, r, stored_deadline(r, redis.call('ZSCORE', KEYS[1], member))) end
return answer
