package redisstore

import (
	"context"

	"github.com/limpet-proxy/limpet/sessions"
)

// Seams for tests of what has no way in from outside.
var (
	DecodeSession   = decodeSession
	DecodeInstance  = decodeInstance
	DecodeDrain     = decodeDrain
	KeyOf           = keyOf
	Member          = member
	ActiveEntry     = activeEntry
	EndedEntry      = endedEntry
	EndedThereEntry = endedThereEntry
	Place           = place

	ReadReply        = readReply
	JudgeReplication = judgeReplication
	ErrProtocol      = errProtocol
	ErrCutOff        = errCutOff
	ErrNotMaster     = errNotMaster
)

// RespValue is a reply.
type RespValue = respValue

// Value makes a reply.
func Value(kind byte, text string, items ...RespValue) RespValue {
	return respValue{kind: kind, text: text, items: items}
}

// Text writes a reply down, kinds and texts.
func Text(v RespValue) string {
	text := string(v.kind) + v.text
	for _, item := range v.items {
		text += Text(item)
	}
	return text
}

// SessionOf is the session whose record a key has.
func SessionOf(s *Store, key string) (sessions.Key, bool) { return s.keys.sessionOf(key) }

// MarksKey is a key that every function has.
func MarksKey(s *Store, function string) string { return s.keys.marks(function) }

const (
	ProbeInterval   = probeInterval
	BreakerFailures = breakerFailures
	TouchBatch      = touchBatch
	SweepBatch      = sweepBatch
)

// CursorOf and PositionOf are the two ways between an entry and a cursor of a listing.
func CursorOf(q sessions.Query, entry string) string    { return scopeOf(q).cursor(entry) }
func PositionOf(q sessions.Query, cursor string) string { return scopeOf(q).position(cursor) }

// RecordLua is the part of scripts that packs records.
func RecordLua() string { return scriptText("record") }

// Keys are the keys by which tests look at, and spoil, what is stored.
type Keys struct {
	Record, Active, Ended, EndedThere, History, Purge, Deadlines, Members, Counts, InFlight, Marks, Instances, Secret, Once string
}

// KeysOf returns the keys of one session, its function, and what is shared by this name.
func (s *Store) KeysOf(function, member, name string) Keys {
	return Keys{
		Record: s.keys.record(function, member), History: s.keys.history(function, member), Purge: s.keys.purge(function),
		Deadlines: s.keys.deadlines(function), Marks: s.keys.marks(function), Instances: s.keys.instances(function),
		Secret: s.keys.secret(name), Once: s.keys.once(name), Ended: s.keys.ended(function, sessions.LatestQualifier),
		Active: s.keys.active(function, sessions.LatestQualifier), EndedThere: s.keys.endedThere(function),
		Members: s.keys.members(function), Counts: s.keys.counts(function), InFlight: s.keys.inFlight(function),
	}
}

// ScriptHashes are the scripts' names by their hash.
func (s *Store) ScriptHashes() map[string]string {
	c := s.scripts
	return map[string]string{
		c.pin.Hash(): "pin", c.bind.Hash(): "bind", c.rehome.Hash(): "rehome", c.end.Hash(): "end", c.touch.Hash(): "touch", c.due.Hash(): "due",
		c.sweep.Hash(): "sweep", c.purge.Hash(): "purge", c.read.Hash(): "read", c.history.Hash(): "history",
		c.report.Hash(): "report", c.instances.Hash(): "instances", c.update.Hash(): "update", c.ended.Hash(): "ended",
		c.members.Hash(): "members", c.once.Hash(): "once", c.mark.Hash(): "mark",
	}
}

// SweepSeen sweeps members that were seen to be due.
func (s *Store) SweepSeen(ctx context.Context, function string, members ...string) (int, error) {
	return s.endExpired(ctx, function, members)
}

// ReadActive reads entries of the Active listing, as List does after it has read the index.
func (s *Store) ReadActive(ctx context.Context, q sessions.Query, entries []string) ([]sessions.Session, error) {
	return s.active(q)(ctx, entries)
}
