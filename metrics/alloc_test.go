package metrics_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/metrics"
)

// request does what the data plane does for each request.
func request(m *metrics.Metrics, f *metrics.Function) {
	f.InFlight(1)
	f.Lookup(metrics.TierCache, metrics.LookupHit)
	f.Request(200, metrics.OutcomeHome, 80*time.Microsecond, 3*time.Millisecond)
	f.Request(700, metrics.OutcomeError, 80*time.Microsecond, 0)
	f.Error("NoCapacity")
	f.InFlight(-1)
	m.StoreOperation(metrics.OpTouch, metrics.StoreOK, time.Millisecond)
}

func TestARequestDoesNotAllocate(t *testing.T) {
	m := metrics.New(prometheus.NewRegistry())
	f := m.Function("f", "q")
	request(m, f)
	require.Zero(t, testing.AllocsPerRun(1000, func() { request(m, f) }))
}

func BenchmarkRequest(b *testing.B) {
	m := metrics.New(prometheus.NewRegistry())
	f := m.Function("f", "q")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f.InFlight(1)
			f.Lookup(metrics.TierCache, metrics.LookupHit)
			f.Request(200, metrics.OutcomeHome, 80*time.Microsecond, 3*time.Millisecond)
			f.InFlight(-1)
		}
	})
}
