#!lua flags=no-writes
--include record
-- KEYS: deadlines, purge. ARGV: how many of each at most.
local now = int(clock())
return {
  redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1]),
  redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1]),
}
