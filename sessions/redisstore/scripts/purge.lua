#!lua flags=allow-oom
--include record
-- KEYS: purge; ended, history of each record. ARGV: purge member, id of each record.
local now = clock()
for i = 1, #ARGV / 2 do
  local entry, id, ended, history = ARGV[2 * i - 1], ARGV[2 * i], KEYS[2 * i], KEYS[2 * i + 1]
  local epoch, created = string.sub(entry, 1, 8), string.sub(entry, 9, 16)
  redis.call('HDEL', history, int(struct.unpack('>I8', epoch)))
  redis.call('ZREM', ended, created .. id .. epoch)
  redis.call('ZREM', KEYS[1], entry)
  local block = redis.call('HGET', history, 'block')
  if block and tonumber(block) <= now then redis.call('HDEL', history, 'block') end
end
return #ARGV / 2
