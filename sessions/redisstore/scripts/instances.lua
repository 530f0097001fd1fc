#!lua flags=no-writes
--include record instance
-- KEYS: instances, marks, counts. Returns the clock, then each place, record, drain and count.
local answer = {clock()}
local all = redis.call('HGETALL', KEYS[1])
for n = 1, #all, 2 do
  local i = decode_instance(all[n + 1])
  answer[#answer + 1] = all[n]
  answer[#answer + 1] = all[n + 1]
  answer[#answer + 1] = redis.call('HGET', KEYS[2], drain_of(all[n]))
  answer[#answer + 1] = redis.call('HGET', KEYS[3], int(i.incarnation) .. '\0' .. all[n])
end
return answer
