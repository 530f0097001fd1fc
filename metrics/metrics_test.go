package metrics_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/metrics"
)

func Example() {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.Function("counter", "LATEST").Request(200, metrics.OutcomeHome, 80*time.Microsecond, 3*time.Millisecond)

	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "limpet_requests_total") {
			fmt.Print(line)
		}
	}
	// Output: limpet_requests_total{code="200",function="counter",outcome="home",qualifier="LATEST"} 1
}

// useAll makes every series appear.
func useAll(m *metrics.Metrics) {
	m.Build("v1.2.3", "abc")
	m.Reloaded(true)
	m.StoreOperation(metrics.OpPin, metrics.StoreRefused, time.Millisecond)
	m.Touches(metrics.TouchWritten, 3)
	m.Ended("f", metrics.EndedSwept, 4)
	m.CollectTable(func() metrics.TableSample {
		return metrics.TableSample{CacheEntries: 5, CacheEvictions: 2, CacheInvalidations: 3, TouchBacklog: 6, NewsAge: 250 * time.Millisecond, Waiting: []metrics.WaitingSample{
			{Function: "f", Qualifier: "q", Requests: 9}, {Function: "f", Qualifier: "q"},
		}}
	})
	m.CollectInstances(func() []metrics.InstanceSample {
		return []metrics.InstanceSample{{
			Function: "f", Qualifier: "q", Instance: "a", State: metrics.StateReady, Sessions: 7, InFlight: 8,
		}}
	})
	m.CertificatesReloaded("listen", true)
	m.CollectCertificates(func() []metrics.CertificateSample {
		c := metrics.CertificateSample{Listener: "listen", File: "tls.crt", NotAfter: time.Unix(2e9, 0)}
		return []metrics.CertificateSample{c, c}
	})
	f := m.Function("f", "q")
	f.Request(200, metrics.OutcomeHome, time.Millisecond, 2*time.Second)
	f.InFlight(2)
	f.InFlight(-1)
	f.Lookup(metrics.TierStale, metrics.LookupFull)
	f.Created()
	f.Rehomed("instance lost")
	f.Closed()
	f.Error("NoCapacity")
}

// scrape returns the export without its comments, a newline before each line.
func scrape(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code, w.Body.String())
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString("\n"+w.Body.String(), "")
}

// requireLine wants a line of the export to begin with prefix, and shows those of the same series if none does.
func requireLine(t *testing.T, text, prefix string) {
	t.Helper()
	if strings.Contains(text, "\n"+prefix) {
		return
	}
	name := regexp.MustCompile(`^\w+`).FindString(prefix)
	t.Errorf("no line begins with %s, but:\n%s", prefix,
		strings.Join(regexp.MustCompile(`(?m)^`+name+`\b.*$`).FindAllString(text, -1), "\n"))
}

func TestEverySeriesIsExportedWithItsValue(t *testing.T) {
	registry := prometheus.NewRegistry()
	useAll(metrics.New(registry))
	text := scrape(t, registry)
	for _, line := range []string{
		`limpet_build_info{commit="abc",goversion="go`,
		`limpet_cache_entries 5`,
		`limpet_cache_evictions_total 2`,
		`limpet_cache_invalidations_total 3`,
		`limpet_cache_news_age_seconds 0.25`,
		`limpet_config_last_reload_success_timestamp_seconds 1.`,
		`limpet_config_last_reload_successful 1`,
		`limpet_errors_total{code="NoCapacity",function="f",qualifier="q"} 1`,
		`limpet_instance_duration_seconds_bucket{function="f",qualifier="q",le="1"} 0`,
		`limpet_instance_duration_seconds_bucket{function="f",qualifier="q",le="2.5"} 1`,
		`limpet_instance_requests_in_flight{function="f",instance="a",qualifier="q"} 8`,
		`limpet_instance_state{function="f",instance="a",qualifier="q",state="draining"} 0`,
		`limpet_instance_state{function="f",instance="a",qualifier="q",state="ready"} 1`,
		`limpet_proxy_duration_seconds_bucket{function="f",qualifier="q",le="0.001"} 1`,
		`limpet_proxy_duration_seconds_bucket{function="f",qualifier="q",le="5e-05"} 0`,
		`limpet_requests_in_flight{function="f",qualifier="q"} 1`,
		`limpet_requests_total{code="200",function="f",outcome="home",qualifier="q"} 1`,
		`limpet_session_lookups_total{function="f",qualifier="q",result="full",tier="stale"} 1`,
		`limpet_sessions_created_total{function="f",qualifier="q"} 1`,
		`limpet_sessions_ended_total{function="f",how="closed"} 1`,
		`limpet_sessions_ended_total{function="f",how="swept"} 4`,
		`limpet_sessions_rehomed_total{function="f",qualifier="q",reason="lost"} 1`,
		`limpet_sessions{function="f",instance="a",qualifier="q"} 7`,
		`limpet_store_operation_duration_seconds_count{op="pin"} 1`,
		`limpet_store_operations_total{op="pin",result="refused"} 1`,
		`limpet_store_operations_total{op="touch",result="unavailable"} 0`,
		`limpet_tls_certificate_not_after_timestamp_seconds{file="tls.crt",listener="listen"} 2e+09`,
		`limpet_tls_last_reload_successful{listener="listen"} 1`,
		`limpet_touch_backlog 6`,
		`limpet_touches_total{result="written"} 3`,
		`limpet_waiting_requests{function="f",qualifier="q"} 9`,
		`go_goroutines `,
		`process_open_fds `,
	} {
		requireLine(t, text, line)
	}
}

func TestNamesAndHelpFollowTheConventions(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	useAll(metrics.New(registry))
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestLabelsStayWithinTheirSets(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	f := m.Function("f", "q")
	for _, code := range []int{-1, 0, 99, 600, 1 << 30} {
		f.Request(code, metrics.Outcome(200), 0, 0)
	}
	f.Request(100, metrics.OutcomeNone, 0, 0)
	f.Request(599, metrics.OutcomeNone, 0, 0)
	f.Error("what a client sent")
	f.Rehomed("what an instance sent")
	f.Lookup(200, 200)
	m.StoreOperation(200, 200, 0)
	m.Touches(200, 1)
	m.Ended("f", 200, 1)
	text := scrape(t, registry)
	require.False(t, strings.Contains(text, "sent"), "a label with a value from outside")
	for _, line := range []string{
		`limpet_requests_total{code="other",function="f",outcome="error",qualifier="q"} 5`,
		`limpet_requests_total{code="100",function="f",outcome="none",qualifier="q"} 1`,
		`limpet_requests_total{code="599",function="f",outcome="none",qualifier="q"} 1`,
		`limpet_errors_total{code="other",function="f",qualifier="q"} 1`,
		`limpet_sessions_rehomed_total{function="f",qualifier="q",reason="other"} 1`,
		`limpet_session_lookups_total{function="f",qualifier="q",result="error",tier="stale"} 1`,
		`limpet_store_operations_total{op="other",result="error"} 1`,
		`limpet_proxy_duration_seconds_count{function="f",qualifier="q"} 7`,
		`limpet_instance_duration_seconds_count{function="f",qualifier="q"} 0`,
	} {
		requireLine(t, text, line)
	}
	// No series may have another label than these: a new one is a decision, not an accident.
	allowed := regexp.MustCompile(`^(function|qualifier|code|outcome|tier|result|reason|how|op|instance|state|listener|file|version|commit|goversion|le|quantile)$`)
	for _, label := range regexp.MustCompile(`[{,](\w+)="`).FindAllStringSubmatch(text, -1) {
		require.Regexp(t, allowed, label[1])
	}
}

func TestRemovedInstancesVanish(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	require.Equal(t, 0, count(t, registry, "limpet_sessions"), "before a source is set")

	now := []metrics.InstanceSample{{Instance: "a", State: metrics.StateReady}, {Instance: "b", State: metrics.StateGone}}
	m.CollectInstances(func() []metrics.InstanceSample { return now })
	require.Equal(t, 2, count(t, registry, "limpet_sessions"))
	now = now[:1]
	require.Equal(t, 1, count(t, registry, "limpet_sessions"))
	m.CollectInstances(nil)
	require.Equal(t, 0, count(t, registry, "limpet_sessions"))
}

func count(t *testing.T, g prometheus.Gatherer, name string) int {
	t.Helper()
	n, err := testutil.GatherAndCount(g, name)
	require.NoError(t, err)
	return n
}

func TestBadSamplesDoNotFailTheScrape(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.CollectInstances(func() []metrics.InstanceSample {
		return []metrics.InstanceSample{
			{Function: "f", Instance: "a", Sessions: 1}, {Function: "f", Instance: "a", Sessions: 2},
			{Function: "f", Instance: "\xff", State: "no such state"},
		}
	})
	m.Function("\xfe", "").Request(200, metrics.OutcomeHome, 0, 0)
	text := scrape(t, registry)
	requireLine(t, text, `limpet_sessions{function="f",instance="a",qualifier=""} 1`)
	require.Equal(t, 2, strings.Count(text, "\nlimpet_sessions{"))
}

func TestFailedReloadKeepsTheTimeOfTheLastGoodOne(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.Reloaded(true)
	m.Reloaded(false)
	text := scrape(t, registry)
	requireLine(t, text, "limpet_config_last_reload_successful 0")
	requireLine(t, text, "limpet_config_last_reload_success_timestamp_seconds 1.")
}

func TestAFunctionThatIsMadeAgainGoesOn(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	for range 2 {
		m.Function("f", "q").Request(200, metrics.OutcomeHome, 0, 0)
	}
	requireLine(t, scrape(t, registry), `limpet_requests_total{code="200",function="f",outcome="home",qualifier="q"} 2`)
}

func TestNilDoesNothing(t *testing.T) {
	require.NotPanics(t, func() { useAll(nil) })
	require.NotPanics(t, func() { (*metrics.Metrics)(nil).Reloaded(false) })
}

func TestRegisteringTwicePanics(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics.New(registry)
	require.Panics(t, func() { metrics.New(registry) })
}

func TestConcurrentFirstUseLosesNoCount(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			f := m.Function("f", "q")
			for i := range 500 {
				f.Request(100+i, metrics.OutcomeHome, time.Microsecond, time.Microsecond)
				f.Lookup(metrics.TierCache, metrics.LookupHit)
			}
			_, err := registry.Gather()
			require.NoError(t, err)
		})
	}
	all.Wait()
	text := scrape(t, registry)
	require.Equal(t, 500, strings.Count(text, `outcome="home",qualifier="q"} 8`))
	requireLine(t, text, `limpet_session_lookups_total{function="f",qualifier="q",result="hit",tier="cache"} 4000`)
}

func TestNoNewsHaveNoAge(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.CollectTable(func() metrics.TableSample { return metrics.TableSample{NewsAge: -1} })
	text := scrape(t, registry)
	requireLine(t, text, `limpet_cache_invalidations_total 0`)
	require.NotContains(t, text, "limpet_cache_news_age_seconds")
}
