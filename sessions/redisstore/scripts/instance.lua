-- The instance record, packed: see instance.go for the fields.
local INSTANCE = '>BBI8I8I8I8I8I8I2c0I2c0I2c0'
local INSTANCE_MIN = 56

local function place_of(version, id) return version .. '\0' .. id end

-- Where MARKS has what an instance's drain is: '<incarnation> <since> <until>'. Not in the record, for one of another
-- form could not be read by replicas of before, and one with more at its end would lose it with their next report.
local function drain_of(place) return 'drain\0' .. place end

-- draining returns until when the sessions of this incarnation (in digits) may stay, nil if it does not drain.
local function draining(marks, place, incarnation)
  local d = redis.call('HGET', marks, drain_of(place))
  if not d or string.match(d, '^%d+') ~= incarnation then return nil end
  return tonumber(string.match(d, '%d+$'))
end

local function decode_instance(b)
  if not b then return nil end
  if #b < INSTANCE_MIN or string.byte(b) ~= 1 then error({err = 'CORRUPT instance record'}) end
  local i, version = {}, 0
  version, i.used, i.incarnation, i.created, i.healthy, i.lost, i.gone, i.seen, i.url, i.start, i.before =
    struct.unpack(INSTANCE, b)
  return i
end

local function encode_instance(i)
  return struct.pack(INSTANCE, 1, i.used, i.incarnation, i.created, i.healthy, i.lost, i.gone, i.seen,
    #i.url, i.url, #i.start, i.start, #i.before, i.before)
end

local function new_instance(incarnation, now)
  return {used = 0, incarnation = incarnation, created = now, healthy = 0, lost = 0, gone = 0, seen = now,
    url = '', start = '', before = ''}
end
