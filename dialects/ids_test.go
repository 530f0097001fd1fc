package dialects_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
)

const hex32 = "0123456789abcdef0123456789abcdef"

// kinds are all kinds of derived IDs.
func kinds() []string {
	return []string{dialects.FarmID, dialects.QueueID, dialects.JobID, dialects.FleetID, dialects.WorkerID, dialects.SessionID}
}

func TestDerivedIDsStayWhatTheyAre(t *testing.T) {
	// Clients keep them: a change here would give every queue another ID.
	require.Equal(t, "queue-cc73ec7b2eaef83ee367fe6de6f6b264", dialects.DeriveID(dialects.QueueID, "limpet", "counter"))
}

func TestDerivedIDsAreApart(t *testing.T) {
	seen := map[string]string{}
	for _, kind := range kinds() {
		for _, path := range [][]string{
			{"a"}, {"b"}, {"a", "b"}, {"ab"}, {"a", "b", "c"}, {"ab", "c"}, {"a", "bc"}, {"", "a"}, {"a", ""}, {"a\x00b"},
		} {
			id := dialects.DeriveID(kind, path...)
			require.True(t, dialects.HasForm(kind, id))
			require.Empty(t, seen[id], "%s of %q", kind, path)
			seen[id] = kind + strings.Join(path, "/")
			require.True(t, dialects.Names(id, kind, path...))
			require.True(t, dialects.Names(path[len(path)-1], kind, path...))
			require.False(t, dialects.Names(id+"0", kind, path...))
		}
	}
}

func TestANameOfTheFormIsItsOwnID(t *testing.T) {
	for _, kind := range kinds() {
		require.Equal(t, kind+hex32, dialects.DeriveID(kind, "limpet", kind+hex32))
	}
	for _, other := range []string{
		"worker-" + hex32, "queue-" + strings.ToUpper(hex32), "queue-" + hex32 + "0", "queue-" + hex32[1:], hex32, "queue-" + hex32[1:] + "g",
	} {
		require.NotEqual(t, other, dialects.DeriveID(dialects.QueueID, "limpet", other))
	}
}

func TestSessionIDs(t *testing.T) {
	require.Equal(t, "session-"+hex32, dialects.SessionIDOf(hex32))
	require.Equal(t, hex32, dialects.PlainSessionID("session-"+hex32))
	for _, id := range []string{"alice", "session-x", strings.ToUpper(hex32), hex32 + "0", "session-" + hex32 + "0", ""} {
		require.Equal(t, id, dialects.SessionIDOf(id))
		require.Equal(t, id, dialects.PlainSessionID(id))
	}
}

func TestRequestID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := dialects.RequestID()
		require.Regexp(t, `^1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}$`, id)
		require.False(t, seen[id])
		seen[id] = true
	}
}

func FuzzDerivedIDs(f *testing.F) {
	f.Add("limpet", "counter", "LATEST")
	f.Add("", "", "")
	f.Add("a", "queue-"+hex32, hex32)
	f.Add("queue-"+hex32, "session-"+hex32, "session-")
	f.Fuzz(func(t *testing.T, a, b, id string) {
		for _, kind := range kinds() {
			derived := dialects.DeriveID(kind, a, b)
			require.True(t, dialects.HasForm(kind, derived))
			require.Equal(t, derived, dialects.DeriveID(kind, a, derived), "derived again it is the same")
			require.True(t, dialects.Names(derived, kind, a, b))
			require.True(t, dialects.Names(b, kind, a, b))
			require.Equal(t, id == b || id == derived, dialects.Names(id, kind, a, b))
			if a != b && !dialects.HasForm(kind, a) && !dialects.HasForm(kind, b) {
				require.NotEqual(t, derived, dialects.DeriveID(kind, b, a))
			}
		}
		if dialects.HasForm(dialects.SessionID, id) {
			// A client may choose such an ID in a header: it reads as the one without the prefix. See PlainSessionID.
			require.Equal(t, id, dialects.SessionIDOf(id))
			return
		}
		require.Equal(t, id, dialects.PlainSessionID(dialects.SessionIDOf(id)))
	})
}

func ExampleDeriveID() {
	queue := dialects.DeriveID(dialects.QueueID, "limpet", "counter")
	fmt.Println(dialects.Names(queue, dialects.QueueID, "limpet", "counter"), dialects.Names("counter", dialects.QueueID, "limpet", "counter"))
	// Output: true true
}

func ExampleSessionIDOf() {
	fmt.Println(dialects.SessionIDOf("0123456789abcdef0123456789abcdef"), dialects.SessionIDOf("alice"))
	// Output: session-0123456789abcdef0123456789abcdef alice
}

func ExampleHasForm() {
	fmt.Println(dialects.HasForm(dialects.FarmID, "farm-0123456789abcdef0123456789abcdef"), dialects.HasForm(dialects.FarmID, "limpet"))
	// Output: true false
}
