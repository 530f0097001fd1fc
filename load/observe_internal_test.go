package load

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/proof"
	"github.com/limpet-proxy/limpet/load/wire"
)

func TestObserve(t *testing.T) {
	w := witness{from: source(t, DefaultFrom), count: source(t, DefaultCount), event: DefaultEvent, epoch: DefaultEpoch}
	seen := func(pairs ...string) (proof.Observation, error) {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return w.observe(wire.Response{Header: h})
	}
	o, err := seen("Sample-Instance", "a", "Sample-Count", "3", DefaultEvent, "created", DefaultEpoch, "12")
	require.NoError(t, err)
	require.Equal(t, proof.Observation{From: "a", Count: 3, Counted: true, Event: "created", Epoch: 12}, o)

	o, err = seen("Sample-Instance", strings.Repeat("x", MaxName+1), "Sample-Count", "3")
	require.NoError(t, err)
	require.Equal(t, shortened(strings.Repeat("x", MaxName+1)), o.From)

	// What does not name its instance cannot be judged at all; what has no count can in part.
	o, err = seen("Sample-Count", "3", DefaultEvent, "created")
	require.ErrorIs(t, err, errMissing)
	require.Equal(t, proof.Observation{}, o)
	for _, count := range []string{"", "x", "-1", "1.0", "+1", " 1", "18446744073709551616", strings.Repeat("9", 1000)} {
		o, err = seen("Sample-Instance", "a", "Sample-Count", count, DefaultEpoch, "12")
		require.ErrorIs(t, err, errMissing, count)
		require.Equal(t, proof.Observation{From: "a", Epoch: 12}, o)
		require.Less(t, len(err.Error()), 200)
	}
	// An epoch that is none would hide every later one, were it taken for the greatest.
	for _, epoch := range []string{"", "x", "-1", "18446744073709551616"} {
		o, err = seen("Sample-Instance", "a", "Sample-Count", "3", DefaultEpoch, epoch)
		require.NoError(t, err)
		require.Equal(t, proof.Observation{From: "a", Count: 3, Counted: true}, o)
	}
	w.count = Source{}
	o, err = seen("Sample-Instance", "a")
	require.NoError(t, err)
	require.Equal(t, proof.Observation{From: "a"}, o)
}

// TestNamesThatAreCutStayApart: else a misroute between two of them would be none.
func TestNamesThatAreCutStayApart(t *testing.T) {
	long, umlaut := strings.Repeat("x", MaxName), strings.Repeat("ü", MaxName/2)
	require.Equal(t, long, shortened(long))
	require.Equal(t, umlaut, shortened(umlaut))
	seen := map[string]string{}
	for _, name := range []string{
		long + "1", long + "2", umlaut + "1", umlaut + "2", "x" + umlaut + "1", "\xff", "\xfe", "a\xff", "a\xff\xff", strings.Repeat("\xff", 1000),
	} {
		short := shortened(name)
		require.LessOrEqual(t, len(short), MaxName)
		require.True(t, utf8.ValidString(short))
		require.Empty(t, seen[short], "%q and %q are one", name, seen[short])
		require.Equal(t, short, shortened(name))
		seen[short] = name
	}
}

func TestABodyIsKeptOnlyWhereItIsLookedAt(t *testing.T) {
	header, field := source(t, "header:A"), source(t, "json:a")
	require.Zero(t, witness{from: header, count: header}.keepBody())
	require.Equal(t, MaxJudgedBody, witness{from: field, count: header}.keepBody())
	require.Equal(t, MaxJudgedBody, witness{from: header, count: field}.keepBody())
}
