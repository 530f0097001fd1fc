package redisstore

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"

	"github.com/limpet-proxy/limpet/sessions"
)

// keyspace makes key names: see the package comment.
type keyspace struct{ prefix string }

// escape keeps colons and braces of a name from being read as part of a key's structure. What it returns has
// letters, digits and "-_.~%+" only.
func escape(name string) string { return url.QueryEscape(name) }

func (k keyspace) of(kind byte, function, rest string) string {
	return k.prefix + ":" + string(kind) + ":{" + escape(function) + "}" + rest
}

func (k keyspace) deadlines(function string) string  { return k.of('x', function, "") }
func (k keyspace) members(function string) string    { return k.of('m', function, "") }
func (k keyspace) counts(function string) string     { return k.of('c', function, "") }
func (k keyspace) instances(function string) string  { return k.of('i', function, "") }
func (k keyspace) marks(function string) string      { return k.of('w', function, "") }
func (k keyspace) purge(function string) string      { return k.of('p', function, "") }
func (k keyspace) endedThere(function string) string { return k.of('y', function, "") }
func (k keyspace) inFlight(function string) string   { return k.of('u', function, "") }
func (k keyspace) qualifiers(function string) string { return k.of('q', function, "") }

func (k keyspace) record(function, member string) string  { return k.of('s', function, ":"+member) }
func (k keyspace) history(function, member string) string { return k.of('e', function, ":"+member) }
func (k keyspace) answer(function, call string) string {
	return k.of('t', function, ":"+fmt.Sprintf("%x", call))
}

func (k keyspace) active(function, qualifier string) string {
	return k.of('a', function, ":"+escape(qualifier))
}

func (k keyspace) ended(function, qualifier string) string {
	return k.of('z', function, ":"+escape(qualifier))
}

func (k keyspace) secret(name string) string { return k.prefix + ":k:" + escape(name) }

// once hashes the name, which comes with a request and may be long.
func (k keyspace) once(name string) string {
	return k.prefix + ":o:" + fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
}

// slots are the keys of slots.lua.
func (k keyspace) slots(function string) []string {
	return []string{
		k.deadlines(function), k.members(function), k.counts(function),
		k.instances(function), k.marks(function), k.purge(function), k.endedThere(function), k.inFlight(function),
	}
}

// registry are the keys of the scripts that are about instances.
func (k keyspace) registry(function string) []string {
	return []string{k.instances(function), k.marks(function), k.counts(function)}
}

// session are the keys of one session that scripts change it by.
func (k keyspace) session(s sessions.Key) []string {
	m := member(s)
	return []string{
		k.record(s.Function, m), k.active(s.Function, s.Qualifier), k.ended(s.Function, s.Qualifier), k.history(s.Function, m),
	}
}

// changed are the keys with which a script that changes one session begins.
func (k keyspace) changed(s sessions.Key) []string {
	return append(k.slots(s.Function), k.session(s)...)
}

// records is how the keys of all records begin, and no other keys.
func (k keyspace) records() string { return k.prefix + ":s:{" }

// sessionOf is the inverse of record.
func (k keyspace) sessionOf(record string) (sessions.Key, bool) {
	rest, ours := strings.CutPrefix(record, k.records())
	escaped, member, whole := strings.Cut(rest, "}:")
	function, err := url.QueryUnescape(escaped)
	if !ours || !whole || err != nil {
		return sessions.Key{}, false
	}
	return keyOf(function, member)
}

// channel is one on which nobody publishes: see link.track.
func (k keyspace) channel() string { return k.prefix + ":news" }

// member names a session within its function.
func member(k sessions.Key) string { return escape(k.Qualifier) + ":" + k.ID }

// stamp is a number as it stands in an index: big-endian, so that its bytes sort as it does.
func stamp(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// keyOf is the inverse of member.
func keyOf(function, member string) (sessions.Key, bool) {
	escaped, id, ok := strings.Cut(member, ":")
	qualifier, err := url.QueryUnescape(escaped)
	return sessions.Key{Function: function, Qualifier: qualifier, ID: id}, ok && err == nil
}

// stampBytes is the width of a stamp.
const stampBytes = 8

// entryOf is a session's entry in the Active listing.
func entryOf(s sessions.Session) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(s.CreatedAt.UnixMicro()))) + s.ID
}

// activeEntry takes the ID from an entry of the Active listing: creation time, ID.
func activeEntry(entry string) (id string, ok bool) {
	if len(entry) < stampBytes {
		return "", false
	}
	return entry[stampBytes:], true
}

// endedEntry takes ID and epoch from an entry of the Ended listing: creation time, ID, epoch.
func endedEntry(entry string) (id string, epoch uint64, ok bool) {
	last := len(entry) - stampBytes
	if last < stampBytes {
		return "", 0, false
	}
	return entry[stampBytes:last], binary.BigEndian.Uint64([]byte(entry[last:])), true
}

// place is how the entries of the Ended listing by instance begin, those of this instance and no other's.
func place(version, instance string) string {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(version)))
	b = append(b, version...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(instance)))
	return string(append(b, instance...))
}

// endedThereEntry is the inverse of entry_of in slots.lua: place, creation time, member, epoch.
func endedThereEntry(function, entry string) (k sessions.Key, epoch uint64, ok bool) {
	d := &decoder{b: []byte(entry)}
	_, _ = d.string(), d.string()
	m, epoch, ok := endedEntry(string(d.b))
	if d.bad || !ok {
		return sessions.Key{}, 0, false
	}
	k, ok = keyOf(function, m)
	return k, epoch, ok
}
