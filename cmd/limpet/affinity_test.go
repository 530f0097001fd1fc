package main_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The load of the first promise.
const (
	affineSessions = 400
	affineRequests = 25
	affineClients  = 32
	affineSpread   = 1.5
)

// byHeader sends the requests of session i with the ID that it has in the header.
func byHeader(client *http.Client, url string) func(int) (reply, error) {
	return func(i int) (reply, error) { return good(client, url, fmt.Sprintf("session-%d", i)) }
}

// byCookie sends the requests of each session with a jar of its own, as a browser does.
func byCookie(t *testing.T, n int, url string) func(int) (reply, error) {
	t.Helper()
	var browsers []*http.Client
	shared := newClient()
	for range n {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		browsers = append(browsers, &http.Client{Transport: shared.Transport, Timeout: shared.Timeout, Jar: jar})
	}
	return func(i int) (reply, error) { return good(browsers[i], url, "") }
}

func TestEverySessionReturnsToItsHome(t *testing.T) {
	t.Parallel()
	instances := samples(t, 4)
	p := servePlain(t, setup{functions: []function{
		{name: "header", path: "/header", instances: instances},
		{name: "cookie", path: "/cookie", affinity: "{type: GENERATED_COOKIE}", instances: instances},
	}}.file(t))
	for name, send := range map[string]func(int) (reply, error){
		"header": byHeader(newClient(), p.listen+"/header"),
		"cookie": byCookie(t, affineSessions, p.listen+"/cookie"),
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier()
			require.NoError(t, drive{affineSessions, affineRequests, affineClients, send}.run(v))
			require.Empty(t, v.misroutes)
			require.Equal(t, affineSessions*affineRequests, v.answers)
			require.Len(t, v.known, affineSessions)
			require.Zero(t, v.rehomed)
			require.LessOrEqual(t, v.spread(len(instances)), affineSpread)
		})
	}
}

// roundRobin is a proxy that knows no sessions.
func roundRobin(t *testing.T, instances []*instance) string {
	t.Helper()
	var next atomic.Int64
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		target, err := url.Parse(instances[int(next.Add(1))%len(instances)].URL())
		if err != nil {
			panic(err)
		}
		r.SetURL(target)
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// TestTheVerifierSeesBrokenAffinity proves that the test above can fail.
func TestTheVerifierSeesBrokenAffinity(t *testing.T) {
	t.Parallel()
	instances := samples(t, 4)
	none := serve(t, setup{functions: []function{{affinity: "{type: NONE}", instances: instances}}}.file(t))
	for name, url := range map[string]string{"round robin": roundRobin(t, instances), "affinity NONE": none.listen} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier()
			require.NoError(t, drive{40, 5, 8, byHeader(newClient(), url)}.run(v))
			require.Equal(t, 40*5, v.answers)
			require.Greater(t, len(v.misroutes), 40, "a session that is sent anywhere is at home one time in four")
		})
	}
}

// TestTheVerifierSeesLostState is about what a wrong instance is not needed for.
func TestTheVerifierSeesLostState(t *testing.T) {
	t.Parallel()
	instances := samples(t, 1)
	p := serve(t, setup{functions: []function{{instances: instances}}}.file(t))
	v := newVerifier()
	load := drive{10, 2, 2, byHeader(newClient(), p.listen)}
	require.NoError(t, load.run(v))
	require.Empty(t, v.misroutes)
	for i := range load.sessions { // a request that the verifier does not know of
		_, err := load.send(i)
		require.NoError(t, err)
	}
	load.requests = 1
	require.NoError(t, load.run(v))
	require.Len(t, v.misroutes, load.sessions)
}
