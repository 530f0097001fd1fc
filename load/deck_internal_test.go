package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// start is a moment at which decks of tests begin.
func start() time.Time { return time.Unix(1_700_000_000, 0) }

// newTestDeck is a deck of n sessions at start.
func newTestDeck(t testing.TB, n int, p Plan) *deck {
	t.Helper()
	p.Carrier, _ = ParseCarrier(DefaultCarrier)
	d := newDeck(&p)
	d.allow(n, start())
	require.Equal(t, n, d.alive())
	return d
}

// held is how many sessions the deck has in hand.
func (d *deck) held() int { return len(d.ready) + len(d.thinking) }

// chiSquare is how far counts are from equal ones.
func chiSquare(counts []int) (x float64) {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	mean := float64(sum) / float64(len(counts))
	for _, n := range counts {
		x += (float64(n) - mean) * (float64(n) - mean) / mean
	}
	return x
}

// requireRandom accepts what a fair pick makes but once in some 10^10 runs: neither too uneven, nor too even, as a fixed
// order would be.
func requireRandom(t *testing.T, counts []int) {
	t.Helper()
	freedom := float64(len(counts) - 1)
	// The cube root of chi-square over freedom is all but normal (Wilson and Hilferty).
	z := (math.Cbrt(chiSquare(counts)/freedom) - (1 - 2/(9*freedom))) / math.Sqrt(2/(9*freedom))
	require.Less(t, math.Abs(z), 6.5, "%v", counts)
}

// TestThePickIsRandom: each session is picked as often as another, and after one as often as after another.
func TestThePickIsRandom(t *testing.T) {
	const sessions, picks = 20, 200_000
	for name, pick := range map[string]func(d *deck) *session{
		"open": func(d *deck) *session {
			s, left := d.deal(start())
			require.Empty(t, left)
			return s
		},
		"closed": func(d *deck) *session {
			s, ended, err := d.take(t.Context())
			require.NoError(t, err)
			require.Nil(t, ended)
			require.False(t, d.give(s, start()))
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTestDeck(t, sessions, Plan{})
			numbers := map[*session]int{}
			single, pairs := make([]int, sessions), make([]int, sessions*sessions)
			last := -1
			for range picks {
				s := pick(d)
				if _, known := numbers[s]; !known {
					numbers[s] = len(numbers)
				}
				n := numbers[s]
				single[n]++
				if last >= 0 {
					pairs[last*sessions+n]++
					n = -1 // the next pair shares no pick with this one
				}
				last = n
			}
			require.Len(t, numbers, sessions)
			requireRandom(t, single)
			requireRandom(t, pairs)
		})
	}
}

func TestSessionsHaveIDsOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		d := newTestDeck(t, 100, Plan{SessionRequests: 1})
		for range 100 {
			s, _ := d.deal(start())
			seen[s.id] = true
		}
	}
	require.Len(t, seen, 300)
	for id := range seen {
		require.Regexp(t, `^load-[a-z0-9]{26}-[0-9]+$`, id, "what Limpet takes for an ID")
	}
}

// TestOpenChurn: exactly so many are alive, none has more requests than it may, and each leaves once, at its last
// request or when its life is over.
func TestOpenChurn(t *testing.T) {
	for name, plan := range map[string]Plan{
		"by requests":    {SessionRequests: 5},
		"by one request": {SessionRequests: 1},
		"by age":         {SessionLife: Span{time.Second, 3 * time.Second}},
		"by both":        {SessionRequests: 5, SessionLife: Span{time.Second, 3 * time.Second}},
		"with thought":   {SessionRequests: 5, SessionLife: Span{time.Second, 3 * time.Second}, Think: Span{0, time.Second}},
		// More requests than sessions that have thought enough.
		"too much thought": {SessionRequests: 5, SessionLife: Span{time.Second, 3 * time.Second}, Think: Span{time.Minute, time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			const sessions = 30
			d := newTestDeck(t, sessions, plan)
			now, dealt, gone := start(), map[*session]int{}, map[*session]bool{}
			for range 20_000 {
				now = now.Add(time.Duration(rand.IntN(int(20 * time.Millisecond))))
				s, left := d.deal(now)
				dealt[s]++
				require.False(t, gone[s], "it has left")
				require.Equal(t, sessions, d.held())
				require.False(t, plan.SessionLife.Most > 0 && dealt[s] > 1 && now.Sub(s.born) >= s.life, "its life was over")
				for _, l := range left {
					require.False(t, gone[l])
					gone[l] = true
					over := plan.SessionRequests > 0 && dealt[l] == plan.SessionRequests
					require.True(t, over || l.life > 0 && now.Sub(l.born) >= l.life, "it left too early")
				}
				if plan.SessionRequests > 0 {
					require.LessOrEqual(t, dealt[s], plan.SessionRequests)
					require.Equal(t, dealt[s] == plan.SessionRequests, slices.Contains(left, s))
				}
			}
			require.Greater(t, len(gone), 500)
			require.Len(t, dealt, len(gone)+len(alive(d, dealt)), "who has not left is there")
		})
	}
}

// alive are the sessions in hand that were ever dealt.
func alive(d *deck, dealt map[*session]int) (all []*session) {
	for _, s := range d.ready {
		if dealt[s] > 0 {
			all = append(all, s)
		}
	}
	for _, r := range d.thinking {
		if dealt[r.session] > 0 {
			all = append(all, r.session)
		}
	}
	return all
}

// TestOpenThoughtIsHonoured: no session has two arrivals closer than it thinks, where the numbers leave it the choice.
func TestOpenThoughtIsHonoured(t *testing.T) {
	d := newTestDeck(t, 100, Plan{Think: Span{time.Second, time.Second}})
	last, now := map[*session]time.Time{}, start()
	for range 10_000 {
		now = now.Add(10 * time.Millisecond) // 100 a second, of 100 that rest a second
		s, _ := d.deal(now)
		if before, known := last[s]; known {
			require.GreaterOrEqual(t, now.Sub(before), time.Second)
		}
		last[s] = now
	}
	// Where they leave none, it is the one that has thought longest.
	d = newTestDeck(t, 3, Plan{Think: Span{time.Hour, time.Hour}})
	var order []*session
	for i := range 9 {
		s, _ := d.deal(start().Add(time.Duration(i) * time.Second))
		order = append(order, s)
	}
	require.Equal(t, order[:3], order[3:6])
	require.Equal(t, order[:3], order[6:])
}

func TestAllowOnlyAdds(t *testing.T) {
	d := newTestDeck(t, 3, Plan{})
	d.allow(2, start())
	require.Equal(t, 3, d.alive())
	d.allow(5, start())
	require.Equal(t, 5, d.alive())
	require.Equal(t, 5, d.held())
	ids := map[string]bool{}
	for _, s := range d.ready {
		ids[s.id] = true
		require.True(t, strings.HasPrefix(s.id, d.ids))
	}
	require.Len(t, ids, 5)
}
