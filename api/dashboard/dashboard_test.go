package dashboard_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api/dashboard"
)

func render(t *testing.T, v dashboard.View) (html, policy string) {
	t.Helper()
	w := httptest.NewRecorder()
	dashboard.New().Write(w, v)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	return w.Body.String(), w.Header().Get("Content-Security-Policy")
}

// text is what a reader sees: without tags and with single spaces.
func text(html string) string {
	html = regexp.MustCompile(`(?s)<style>.*</style>|<[^>]*>`).ReplaceAllString(html, " ")
	return strings.Join(strings.Fields(html), " ")
}

func sample() dashboard.View {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return dashboard.View{
		Deployment: "blue", Version: "v1.2.3", Status: "ready", Store: "embedded", Now: now,
		Functions: []dashboard.Function{{
			Name: "counter", Qualifier: "LATEST", Affinity: "HEADER_FIELD",
			Instances: []dashboard.Instance{
				{ID: "a", State: "ready", Since: now.Add(-90 * time.Minute), Sessions: 5, PerInstance: 20, InFlight: 1},
				{ID: "b", State: "ready", Since: now.Add(-72 * time.Hour), Sessions: 20, PerInstance: 20, InFlight: 12345},
				{ID: "c", State: "unhealthy", Since: now.Add(-5 * time.Second), Sessions: 1, PerInstance: 20},
				{ID: "d", State: "draining", Since: now.Add(-2 * time.Minute), PerInstance: 20},
				{ID: "e", State: "starting"},
			},
		}, {Name: "empty", Qualifier: "v1"}},
	}
}

func TestThePage(t *testing.T) {
	html, _ := render(t, sample())
	seen := text(html)
	for _, want := range []string{
		"Limpet blue ready embedded store · v1.2.3 · 03:04:05 UTC",
		"counter LATEST HEADER_FIELD · 2 of 5 instances ready · 26 sessions · 12 346 requests in flight",
		"Instance State For Sessions In flight",
		"a ready 1 h 5 of 20 1", "b ready 3 d 20 of 20 12 345", "c unhealthy 5 s 1 of 20 0", "d draining 2 min 0 of 20 0",
		"e starting – 0 of 0 0",
		"empty v1 0 of 0 instances ready", "No instances.",
	} {
		require.Contains(t, seen, want)
	}
	require.Contains(t, html, `<meta http-equiv="refresh" content="5">`)
	require.Contains(t, html, "12\u202f345", "digits in groups that stay on one line")
	require.Contains(t, html, `width="25" height="8"`)
	require.Contains(t, html, `class="used full" width="100"`)
	require.Contains(t, html, `<span class="state bad">unhealthy</span>`)
	require.Contains(t, html, `<p class="state good">ready</p>`)
	require.Equal(t, 1, strings.Count(html, `<th scope="row">a</th>`))
}

func TestThePageSaysWhyAndWhatIsMissing(t *testing.T) {
	html, _ := render(t, dashboard.View{Status: "degraded", Reasons: []string{"reason one", "reason two"}})
	require.Contains(t, html, `<p class="state fair">degraded</p>`)
	require.Contains(t, text(html), "reason one reason two No functions.")
}

func TestNothingIsTakenAsMarkup(t *testing.T) {
	const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	v := sample()
	v.Deployment, v.Version, v.Status, v.Store, v.Reasons = attack, attack, attack, attack, []string{attack}
	v.Functions[0] = dashboard.Function{
		Name: attack, Qualifier: attack, Affinity: attack, Instances: []dashboard.Instance{{ID: attack, State: attack}},
	}
	html, _ := render(t, v)
	require.NotContains(t, html, "<script")
	require.NotContains(t, html, "<img")
	require.GreaterOrEqual(t, strings.Count(html, "&lt;script&gt;alert(1)"), 10)
	require.Equal(t, 2, strings.Count(html, `class="state idle"`), "the class of an unknown state is a fixed word")
}

func TestThePolicyAllowsTheStyleSheetAndNothingElse(t *testing.T) {
	html, policy := render(t, sample())
	styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(html, -1)
	require.Len(t, styles, 1)
	hash := sha256.Sum256([]byte(styles[0][1]))
	require.Equal(t, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", policy)
	require.NotRegexp(t, `(?i)<script|\bstyle=|\bon[a-z]+=|https?://|url\(|@import`, html)
}

func TestBarsStayInside(t *testing.T) {
	v := sample()
	v.Functions[0].Instances = []dashboard.Instance{
		{ID: "over", State: "ready", Sessions: 30, PerInstance: 20}, {ID: "none", State: "ready", Sessions: 3},
		{ID: "negative", State: "ready", Sessions: -1, PerInstance: 20},
	}
	html, _ := render(t, v)
	for _, width := range regexp.MustCompile(`class="used[^>]* width="(-?\d+)"`).FindAllStringSubmatch(html, -1) {
		require.Contains(t, []string{"0", "100"}, width[1])
	}
}
