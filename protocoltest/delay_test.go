package protocoltest_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// newTicker is an instance that sends as many events as the path says, a hundred a second, each with the time at which it
// was sent.
func newTicker(t testing.TB) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		events, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			return // a probe
		}
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range events {
			<-tick.C
			fmt.Fprintf(w, "data: %d\n\n", time.Now().UnixNano())
			http.NewResponseController(w).Flush() //nolint:errcheck // the next event finds out
		}
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

// delays are how long events took to come, of streams that run at once.
func delays(t testing.TB, url string, streams, events int) []time.Duration {
	var (
		all sync.WaitGroup
		mu  sync.Mutex
		got []time.Duration
	)
	for i := range streams {
		all.Go(func() {
			own := listen(t, url, fmt.Sprint("stream-", i), events)
			mu.Lock()
			defer mu.Unlock()
			got = append(got, own...)
		})
	}
	all.Wait()
	require.Len(t, got, streams*events)
	slices.Sort(got)
	return got
}

func listen(t testing.TB, url, session string, events int) (took []time.Duration) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprint(url, "/", events), nil)
	if err != nil {
		return nil
	}
	r.Header.Set("X-Session-Id", session)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if sent, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			at, _ := strconv.ParseInt(sent, 10, 64)
			took = append(took, time.Since(time.Unix(0, at)))
		}
	}
	return took
}

func tickingLimpet(t testing.TB, binary, instance string) (url string) {
	p := serveBinary(t, binary, fmt.Sprintf(`access_log: {enabled: false}
functions:
  - name: ticker
    affinity: {type: HEADER_FIELD, header: X-Session-Id}
    instances: {static: [{id: a, url: %q}]}
`, instance))
	return "http://" + p.Listen
}

// BenchmarkSSEDelay tells how long an event takes from an instance to a client, directly and through Limpet, in turn: twenty
// streams of a hundred events a second each.
func BenchmarkSSEDelay(b *testing.B) {
	bare, err := limpettest.BuildBare("..", b.TempDir())
	require.NoError(b, err)
	ticker := newTicker(b)
	proxied := tickingLimpet(b, bare, ticker)
	const streams, events = 20, 200
	var direct, through []time.Duration
	for b.Loop() {
		for range 3 {
			direct = append(direct, delays(b, ticker, streams, events)...)
			through = append(through, delays(b, proxied, streams, events)...)
		}
	}
	slices.Sort(direct)
	slices.Sort(through)
	ms := func(sorted []time.Duration, share float64) float64 {
		return float64(sorted[int(share*float64(len(sorted)-1))].Microseconds()) / 1000
	}
	for name, share := range map[string]float64{"p50": 0.5, "p99": 0.99} {
		b.ReportMetric(ms(direct, share), "direct-"+name+"-ms")
		b.ReportMetric(ms(through, share), "limpet-"+name+"-ms")
		b.ReportMetric(ms(through, share)-ms(direct, share), "more-"+name+"-ms")
	}
	b.ReportMetric(0, "ns/op")
}

func TestSSEDelayCanBeMeasured(t *testing.T) {
	ticker := newTicker(t)
	require.Len(t, delays(t, ticker, 2, 3), 6)
	require.Len(t, delays(t, tickingLimpet(t, binary, ticker), 2, 3), 6)
}
