#!lua flags=allow-oom
--include record
-- KEYS: deadlines; then the record of each touch.
-- ARGV: of each touch: member, epoch, age in µs, whether the event was delivered.
local now = clock()
local members, records = {}, {}
for i = 1, #KEYS - 1 do
  members[i], records[i] = ARGV[4 * i - 3], KEYS[i + 1]
end
local stored, scores = redis.call('MGET', unpack(records)), redis.call('ZMSCORE', KEYS[1], unpack(members))
local postponed = {}
for i, bytes in ipairs(stored) do
  local ok, r = pcall(decode, bytes) -- one bad record harms no other touch
  if ok and r and int(r.epoch) == ARGV[4 * i - 2] then
    local ends = stored_deadline(r, scores[i])
    if now < ends then
      local later = deadline(r, now - tonumber(ARGV[4 * i - 1]))
      if later > ends or not scores[i] then
        postponed[#postponed + 1] = int(math.max(later, ends))
        postponed[#postponed + 1] = members[i]
      end
      if ARGV[4 * i] == '1' and r.event ~= 0 then
        r.event, r.reason, r.from = 0, '', ''
        redis.call('SET', records[i], encode(r))
      end
    end
  end
end
-- GT, because one batch may hold several touches of one session.
if #postponed > 0 then redis.call('ZADD', KEYS[1], 'GT', unpack(postponed)) end
return #postponed / 2
