package redisstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// The session record is packed by scripts/record.lua, big-endian: format, flags, affinity and event (a byte each);
// epoch, created, modified, ended, TTL and idle timeout in µs (8 bytes each); the call that made it (8 bytes); then
// version and instance (each with a length of 2 bytes), incarnation (8 bytes), and, again with their lengths, reason,
// from, the call that re-homed it, name and fingerprint.
const (
	recordFormat = 2
	callBytes    = 8
)

// Bits of a record's flags.
const (
	flagNoReuse = 1 << iota
	flagAPI
	flagByCall  // ended by End, not by its deadline
	flagDeleted // ended without keep: listed only while requests of it run
)

// affinities are the codes of a record's affinity: their positions must never change.
func affinities() [6]sessions.Affinity {
	return [...]sessions.Affinity{
		"", sessions.AffinityNone, sessions.AffinityHeader, sessions.AffinityCookie,
		sessions.AffinityMCPStreamable, sessions.AffinityMCPSSE,
	}
}

func affinityCode(a sessions.Affinity) (int, error) {
	for code, known := range affinities() {
		if a == known {
			return code, nil
		}
	}
	return 0, fmt.Errorf("affinity %q cannot be stored", a)
}

func flagsOf(s sessions.Settings, origin sessions.Origin) int {
	flags := 0
	if s.DisableIDReuse {
		flags |= flagNoReuse
	}
	if origin == sessions.OriginAPI {
		flags |= flagAPI
	}
	return flags
}

// decoder takes fields from the front of packed bytes. Once something is missing it returns zeros and is bad.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || len(d.b) < n {
		d.bad = true
		return make([]byte, n)
	}
	field := d.b[:n]
	d.b = d.b[n:]
	return field
}

func (d *decoder) byte() byte     { return d.take(1)[0] }
func (d *decoder) uint64() uint64 { return binary.BigEndian.Uint64(d.take(8)) }
func (d *decoder) string() string { return string(d.take(int(binary.BigEndian.Uint16(d.take(2))))) }

func (d *decoder) duration() time.Duration { return time.Duration(d.uint64()) * time.Microsecond }
func (d *decoder) time() time.Time         { return clock(int64(d.uint64())) }

// clock converts the store's clock: µs since 1970, of which 0 is no time.
func clock(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// decodeSession decodes a record as Redis holds it. Its key is the caller's.
func decodeSession(k sessions.Key, record string) (sessions.Session, error) {
	d := &decoder{b: []byte(record)}
	format, flags, affinity, event := d.byte(), d.byte(), d.byte(), d.byte()
	s := sessions.Session{Key: k, Epoch: d.uint64(), CreatedAt: d.time(), ModifiedAt: d.time(), EndedAt: d.time()}
	s.TTL, s.IdleTimeout = d.duration(), d.duration()
	d.take(callBytes)
	s.Home = sessions.Home{Version: d.string(), ID: d.string(), Incarnation: d.uint64()}
	s.Event = sessions.Event{Kind: sessions.EventKind(event), Reason: d.string(), From: d.string()}
	d.string() // the call that re-homed it
	s.Name = d.string()
	d.string() // fingerprint
	known := affinities()
	if d.bad || len(d.b) > 0 || format != recordFormat || int(affinity) >= len(known) || s.Event.Kind > sessions.EventRehomed {
		return sessions.Session{}, fmt.Errorf("%w: record of session in function %q", sessions.ErrCorrupt, k.Function)
	}
	s.Affinity, s.DisableIDReuse = known[affinity], flags&flagNoReuse != 0
	if flags&flagAPI != 0 {
		s.Origin = sessions.OriginAPI
	}
	if !s.EndedAt.IsZero() {
		s.State = sessions.Ended
		s.Deleted = flags&flagDeleted != 0
	}
	return s, nil
}
