#!lua flags=no-writes
--include record
-- KEYS: the history of each session. ARGV: epoch of each. Returns the clock, then each record.
local answer = {clock()}
for i, key in ipairs(KEYS) do answer[i + 1] = redis.call('HGET', key, ARGV[i]) end
return answer
