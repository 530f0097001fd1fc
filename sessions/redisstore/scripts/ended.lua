#!lua flags=no-writes
--include record
-- KEYS: in flight; the history of each session. ARGV: epoch, member of each.
-- Returns the clock, then each record and until when it has requests in flight.
local answer = {clock()}
for i = 2, #KEYS do
  local bytes = redis.call('HGET', KEYS[i], ARGV[2 * i - 3])
  local r = decode(bytes)
  answer[#answer + 1] = bytes
  answer[#answer + 1] = r and lease(KEYS[1], r, ARGV[2 * i - 2]) or 0
end
return answer
