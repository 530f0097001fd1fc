package redisstore_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

// aRecord is what record.lua packs for a session that was re-homed.
const aRecord = "\x02\x0b\x02\x02" + "\x00\x06\x42\x00\x00\x00\x00\x01" + "\x00\x06\x42\x00\x00\x00\x00\x00" +
	"\x00\x06\x42\x00\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x05\x07\x75\xd8\x00" +
	"\x00\x00\x00\x00\x6b\x49\xd2\x00" + "12345678" + "\x00\x06LATEST" + "\x00\x01b" + "\x00\x06\x42\x00\x00\x00\x00\x00" +
	"\x00\x0dinstance lost" + "\x00\x01a" + "\x00\x0887654321" + "\x00\x04name" + "\x00\x03fp\x00"

func FuzzDecodeSession(f *testing.F) {
	f.Add(aRecord)
	for i := range len(aRecord) {
		f.Add(aRecord[:i])
	}
	f.Fuzz(func(t *testing.T, record string) {
		k := sessions.Key{Function: "f", Qualifier: "q", ID: "x"}
		s, err := redisstore.DecodeSession(k, record)
		if err != nil {
			require.ErrorIs(t, err, sessions.ErrCorrupt)
			require.Zero(t, s)
			return
		}
		require.Equal(t, k, s.Key)
		require.LessOrEqual(t, s.Event.Kind, sessions.EventRehomed)
		require.Equal(t, s.State == sessions.Active, s.EndedAt.IsZero())
		require.LessOrEqual(t, len(s.Home.Version)+len(s.Home.ID)+len(s.Event.Reason)+len(s.Event.From), len(record))
	})
}

func TestDecodeSession(t *testing.T) {
	t.Parallel()
	s, err := redisstore.DecodeSession(sessions.Key{}, aRecord)
	require.NoError(t, err)
	require.Equal(t, sessions.Home{Version: "LATEST", ID: "b", Incarnation: 0x0006420000000000}, s.Home)
	require.Equal(t, sessions.Event{Kind: sessions.EventRehomed, Reason: sessions.ReasonLost, From: "a"}, s.Event)
	require.Equal(t, sessions.AffinityHeader, s.Affinity)
	require.Equal(t, sessions.OriginAPI, s.Origin)
	require.Equal(t, sessions.Settings{TTL: sessions.DefaultTTL, IdleTimeout: sessions.DefaultIdleTimeout, DisableIDReuse: true}, s.Settings)
}

func FuzzDecodeInstance(f *testing.F) {
	f.Add("\x01\x01" + strings.Repeat("\x00\x06\x42\x00\x00\x00\x00\x01", 6) + "\x00\x03url\x00\x01s\x00\x00")
	f.Add("")
	f.Fuzz(func(t *testing.T, record string) {
		r, err := redisstore.DecodeInstance("v", "a", record)
		if err != nil {
			require.ErrorIs(t, err, sessions.ErrCorrupt)
			require.Zero(t, r)
			return
		}
		require.Equal(t, "a", r.ID)
		require.LessOrEqual(t, len(r.URL), len(record))
	})
}

func FuzzDecodeDrain(f *testing.F) {
	f.Add("7 1760000000000000 1760000600000000")
	f.Add("8 1 1")
	f.Add("")
	f.Fuzz(func(t *testing.T, drain string) {
		r := sessions.InstanceRecord{Home: sessions.Home{ID: "a", Incarnation: 7}}
		if err := redisstore.DecodeDrain(drain, &r); err != nil {
			require.ErrorIs(t, err, sessions.ErrCorrupt)
			require.False(t, r.Draining())
			return
		}
		require.False(t, r.DrainDeadline.Before(r.DrainingSince))
		if r.Draining() {
			require.True(t, strings.HasPrefix(strings.TrimLeft(drain, " +0"), "7"), drain)
		}
	})
}

// FuzzCursor: a cursor comes back from callers of the API.
func FuzzCursor(f *testing.F) {
	q := sessions.Query{Function: "f", Qualifier: "q"}
	others := []sessions.Query{
		{Function: "f", Qualifier: "q", State: sessions.Ended}, {Function: "g", Qualifier: "q"}, {Function: "f", Qualifier: "r"},
		{Function: "f", Version: "q", Instance: "a"}, {Function: "f", Version: "q", Instance: "a", State: sessions.Ended},
		{Function: "f", Version: "qa", Instance: "a"}, {Function: "f", Version: "q", Instance: "aa"},
	}
	f.Add(redisstore.CursorOf(q, "\x00\x06\x42\x00\x00\x00\x00\x01abc"))
	f.Add("")
	f.Add("!")
	f.Fuzz(func(t *testing.T, cursor string) {
		redisstore.PositionOf(q, cursor)
		own := redisstore.CursorOf(q, cursor)
		require.Equal(t, cursor, redisstore.PositionOf(q, own), "any entry comes back")
		for _, other := range others {
			require.Empty(t, redisstore.PositionOf(other, own), "and means nothing to another listing: %v", other)
		}
	})
}

// FuzzMember: whatever a qualifier and an ID are, they come back from an index, and meet no other's.
func FuzzMember(f *testing.F) {
	f.Add("LATEST", "abc", uint64(1760000000000000), uint64(1760000000000001))
	f.Add("a:b{c}%", "d:e\x00", uint64(0), uint64(1<<63))
	f.Fuzz(func(t *testing.T, qualifier, id string, created, epoch uint64) {
		k := sessions.Key{Function: "f", Qualifier: qualifier, ID: id}
		m := redisstore.Member(k)
		got, ok := redisstore.KeyOf("f", m)
		require.True(t, ok)
		require.Equal(t, k, got)
		escaped, _, _ := strings.Cut(m, ":")
		require.NotContains(t, escaped, "{")
		require.True(t, utf8.ValidString(escaped))
		from, to := stamp(created), stamp(epoch)
		entry := redisstore.Place(qualifier, id) + from + m + to
		got, gotEpoch, ok := redisstore.EndedThereEntry("f", entry)
		require.True(t, ok)
		require.Equal(t, k, got)
		require.Equal(t, epoch, gotEpoch)
		if other := redisstore.Place(id, qualifier); id != qualifier {
			require.False(t, strings.HasPrefix(entry, other), "an entry is one instance's only")
		}
		gotID, gotEpoch, ok := redisstore.EndedEntry(from + id + to)
		require.True(t, ok)
		require.Equal(t, id, gotID)
		require.Equal(t, epoch, gotEpoch)
		// Bytes that are no entry at all.
		redisstore.KeyOf("f", id)
		redisstore.EndedThereEntry("f", id)
		redisstore.EndedEntry(id)
		redisstore.ActiveEntry(id)
	})
}

func stamp(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
