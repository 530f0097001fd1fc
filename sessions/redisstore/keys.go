package redisstore

import (
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

func (k keyspace) deadlines(function string) string { return k.of('x', function, "") }
func (k keyspace) members(function string) string   { return k.of('m', function, "") }
func (k keyspace) counts(function string) string    { return k.of('c', function, "") }
func (k keyspace) instances(function string) string { return k.of('i', function, "") }
func (k keyspace) marks(function string) string     { return k.of('w', function, "") }
func (k keyspace) purge(function string) string     { return k.of('p', function, "") }

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

// slots are the keys of slots.lua.
func (k keyspace) slots(function string) []string {
	return []string{
		k.deadlines(function), k.members(function), k.counts(function),
		k.instances(function), k.marks(function), k.purge(function),
	}
}

// session are the four keys of one session that scripts change it by.
func (k keyspace) session(s sessions.Key) []string {
	m := member(s)
	return []string{
		k.record(s.Function, m), k.active(s.Function, s.Qualifier), k.ended(s.Function, s.Qualifier), k.history(s.Function, m),
	}
}

// member names a session within its function.
func member(k sessions.Key) string { return escape(k.Qualifier) + ":" + k.ID }

// keyOf is the inverse of member.
func keyOf(function, member string) (sessions.Key, bool) {
	escaped, id, ok := strings.Cut(member, ":")
	qualifier, err := url.QueryUnescape(escaped)
	return sessions.Key{Function: function, Qualifier: qualifier, ID: id}, ok && err == nil
}

// stampBytes is the width of a number in a lexicographic index: big-endian, so that its bytes sort as it does.
const stampBytes = 8

// purgeEntry is the inverse of what slots.lua's keep adds to the purge index: epoch, creation time, member.
func purgeEntry(function, entry string) (sessions.Key, bool) {
	if len(entry) < 2*stampBytes {
		return sessions.Key{}, false
	}
	return keyOf(function, entry[2*stampBytes:])
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
