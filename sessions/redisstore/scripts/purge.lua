#!lua flags=allow-oom
--include record slots
-- KEYS: eight of slots.lua; ended, history of each record. ARGV: entry, member, id of each record.
local now = clock()

local function forget(ended, history, entry, member, id)
  local epoch, created = string.sub(entry, -8), string.sub(entry, -16 - #member, -9 - #member)
  local held = tonumber(redis.call('ZSCORE', IN_FLIGHT, epoch .. member)) or 0
  if held > now then return hold(history, entry, held, now) end -- listed for as long as requests of it run
  redis.call('HDEL', history, int(struct.unpack('>I8', epoch)))
  redis.call('ZREM', ended, created .. id .. epoch)
  redis.call('ZREM', ENDED_THERE, entry)
  redis.call('ZREM', PURGE, entry)
  local block = redis.call('HGET', history, 'block')
  if block and tonumber(block) <= now then redis.call('HDEL', history, 'block') end
end

for i = 1, #ARGV / 3 do
  forget(KEYS[7 + 2 * i], KEYS[8 + 2 * i], ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i])
end
return #ARGV / 3
