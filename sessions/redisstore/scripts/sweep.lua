#!lua flags=allow-oom
--include record slots
-- KEYS: eight of slots.lua; record, active, ended, history of each session.
-- ARGV: member, id of each session. Returns how many it ended.
local now, ended = clock(), 0
for i = 1, #ARGV / 2 do
  local member, id, first = ARGV[2 * i - 1], ARGV[2 * i], SESSION + 4 * (i - 1)
  local score = redis.call('ZSCORE', DEADLINES, member)
  -- Another replica may have swept it, or a touch postponed it, since it was seen to be due.
  if score and tonumber(score) <= now then
    -- An undecodable record stays, for whoever asks for it to be told; it must not hold up the others for ever.
    local ok, r = pcall(decode, redis.call('GET', KEYS[first]))
    if ok and r then
      expire(first, member, id, r, tonumber(score), now)
      ended = ended + 1
    else
      redis.call('ZREM', DEADLINES, member)
    end
  end
end
return ended
