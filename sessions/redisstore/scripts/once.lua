#!lua
--include
-- KEYS: the name. ARGV: call, for how many ms. Returns whether this call is the first: sent again, it finds itself.
local before = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2], 'GET')
return {'OK', (not before or before == ARGV[1]) and 1 or 0}
