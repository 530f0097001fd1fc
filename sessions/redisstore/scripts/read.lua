#!lua flags=no-writes
--include record
-- KEYS: deadlines; the record of each session. ARGV: member of each. Returns the clock, then each record and deadline.
local records = {}
for i = 2, #KEYS do records[i - 1] = KEYS[i] end
local stored, scores = redis.call('MGET', unpack(records)), redis.call('ZMSCORE', KEYS[1], unpack(ARGV))
local answer = {clock()}
for i, bytes in ipairs(stored) do
  local r = decode(bytes)
  answer[2 * i] = bytes
  answer[2 * i + 1] = r and stored_deadline(r, scores[i]) or 0
end
return answer
