package load

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpansThatAreNone(t *testing.T) {
	for _, text := range []string{"", "1", "..", "1s..", "..1s", "-1s", "-1s..1s", "2s..1s", "1s..2s..3s", "1s...2s", "1s-2s", "x", strings.Repeat("x", 10_000)} {
		_, err := ParseSpan(text)
		require.ErrorIs(t, err, ErrSpan, "%.80q", text)
		require.Less(t, len(err.Error()), 300)
	}
}

func TestSpansAreDrawnFromWhole(t *testing.T) {
	s, seen := Span{Least: 3, Most: 6}, map[time.Duration]int{}
	for range 4000 {
		seen[s.draw()]++
	}
	require.Len(t, seen, 4)
	for d := s.Least; d <= s.Most; d++ {
		require.InDelta(t, 1000, seen[d], 300, "more than ten standard deviations off")
	}
	require.Equal(t, time.Second, Span{time.Second, time.Second}.draw())
	require.Zero(t, Span{}.draw())
	for range 100 {
		require.GreaterOrEqual(t, Span{0, math.MaxInt64}.draw(), time.Duration(0))
	}
}

// FuzzParseSpan: a Span has a text, which reads as the same Span, and draws from nowhere else.
func FuzzParseSpan(f *testing.F) {
	for _, text := range []string{"1s", "0", "500ms..2s", "1h2m3.5s..2562047h47m16.854775807s", "0..9223372036854775807ns", "-0s", "1s..1s", ".5s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpan(text)
		if err != nil {
			require.ErrorIs(t, err, ErrSpan)
			require.True(t, s.IsZero())
			return
		}
		require.True(t, s.valid())
		again, err := ParseSpan(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
		d := s.draw()
		require.GreaterOrEqual(t, d, s.Least)
		require.LessOrEqual(t, d, s.Most)
		require.Equal(t, s.Most == 0, s.IsZero())
	})
}
