package sessions

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var cursors = []walkCursor{
	{},
	{since: 1, qualifier: "LATEST", inner: "AQID"},
	{since: math.MaxInt64, qualifier: "a.b\x00\xff/ü", state: Ended, inner: "..a.b."},
}

func TestCursorsComeBack(t *testing.T) {
	for _, c := range cursors {
		got, err := parseWalkCursor(c.String())
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
}

func TestIllFormedCursors(t *testing.T) {
	good := cursors[1].String()
	for _, text := range []string{
		"", ".", "....", "2" + good[1:], " " + good, "1.-1.0.TA.", "1.+1.0.TA.", "1.01.0.TA.", "1.9223372036854775808.0.TA.",
		"1.1.256.TA.", "1.1.-1.TA.", "1.1.00.TA.", "1.1.0.T.", "1.1.0.TB.", "1.1.0.TA==.", "1.1.0.T\nA.", "1.1.0.TA",
	} {
		_, err := parseWalkCursor(text)
		require.ErrorIs(t, err, ErrCursor, "%q", text)
	}
}

// Whatever is accepted is what String made.
func FuzzCursor(f *testing.F) {
	for _, c := range cursors {
		f.Add(c.String())
		f.Add(strings.TrimSuffix(c.String(), "."))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseWalkCursor(text)
		if err != nil {
			require.ErrorIs(t, err, ErrCursor)
			return
		}
		require.Equal(t, text, c.String())
	})
}
