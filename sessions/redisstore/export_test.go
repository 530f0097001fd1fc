package redisstore

import (
	"context"

	"github.com/limpet-proxy/limpet/sessions"
)

// Seams for tests of what has no way in from outside.
var (
	DecodeSession  = decodeSession
	DecodeInstance = decodeInstance
	DecodeCursor   = decodeCursor
	EncodeCursor   = encodeCursor
	KeyOf          = keyOf
	Member         = member
	ActiveEntry    = activeEntry
	EndedEntry     = endedEntry
	PurgeEntry     = purgeEntry
)

const (
	ProbeInterval   = probeInterval
	BreakerFailures = breakerFailures
	TouchBatch      = touchBatch
	SweepBatch      = sweepBatch
)

// Keys are the keys by which tests look at, and spoil, what is stored.
type Keys struct{ Record, Ended, History, Purge, Deadlines, Marks, Instances, Secret string }

// KeysOf returns the keys of one session, its function, and the secret of this name.
func (s *Store) KeysOf(function, member, secret string) Keys {
	return Keys{
		Record: s.keys.record(function, member), History: s.keys.history(function, member), Purge: s.keys.purge(function),
		Deadlines: s.keys.deadlines(function), Marks: s.keys.marks(function), Instances: s.keys.instances(function),
		Secret: s.keys.secret(secret), Ended: s.keys.ended(function, sessions.LatestQualifier),
	}
}

// ScriptHashes are the scripts' names by their hash.
func (s *Store) ScriptHashes() map[string]string {
	c := s.scripts
	return map[string]string{
		c.pin.Hash(): "pin", c.rehome.Hash(): "rehome", c.end.Hash(): "end", c.touch.Hash(): "touch", c.due.Hash(): "due",
		c.sweep.Hash(): "sweep", c.purge.Hash(): "purge", c.read.Hash(): "read", c.history.Hash(): "history",
		c.report.Hash(): "report", c.instances.Hash(): "instances",
	}
}

// SweepSeen sweeps members that were seen to be due.
func (s *Store) SweepSeen(ctx context.Context, function string, members ...string) (int, error) {
	return s.endExpired(ctx, function, members)
}
