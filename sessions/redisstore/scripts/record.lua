-- The session record, packed: see record.go for the fields.
local RECORD, RECORD_MIN = '>BBBBI8I8I8I8I8I8c8I2c0I2c0I8I2c0I2c0I2c0I2c0I2c0', 82
local NO_REUSE, BY_CALL, DELETED = 1, 4, 8 -- bits of flags
local HOUR = 3600000000

local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

-- Lua prints a number of this size as 1.76e+15.
local function int(n) return string.format('%.0f', n) end

-- How a number stands in a lexicographic index: eight bytes, big-endian. As digits it would be twice as long.
local function stamp(n) return struct.pack('>I8', n) end

local function decode(b)
  if not b then return nil end
  if #b < RECORD_MIN or string.byte(b) ~= 2 then error({err = 'CORRUPT session record'}) end
  local r, version = {}, 0
  version, r.flags, r.affinity, r.event, r.epoch, r.created, r.modified, r.ended, r.ttl, r.idle, r.call,
    r.version, r.id, r.incarnation, r.reason, r.from, r.move, r.name, r.fingerprint = struct.unpack(RECORD, b)
  return r
end

local function encode(r)
  return struct.pack(RECORD, 2, r.flags, r.affinity, r.event, r.epoch, r.created, r.modified, r.ended, r.ttl, r.idle, r.call,
    #r.version, r.version, #r.id, r.id, r.incarnation, #r.reason, r.reason, #r.from, r.from, #r.move, r.move,
    #r.name, r.name, #r.fingerprint, r.fingerprint)
end

local function has(r, flag) return bit.band(r.flags, flag) ~= 0 end

-- sessions.Settings.Deadline, in µs, with its grace.
local function deadline(r, used)
  local last = r.created + r.ttl
  if r.idle <= 0 then return last end
  local grace = r.idle >= 1000000 and 1000000 or math.max(20000, math.floor(r.idle / 10))
  return math.min(last, used + r.idle + grace)
end

-- A live record whose deadline is missing (evicted, or lost by hand) counts from its creation: as never touched.
local function stored_deadline(r, score)
  return score and tonumber(score) or deadline(r, r.created)
end

-- lease is until when a session has requests in flight, as far as touches said; 0 if none did lately.
local function lease(in_flight, r, member)
  return tonumber(redis.call('ZSCORE', in_flight, stamp(r.epoch) .. member)) or 0
end
