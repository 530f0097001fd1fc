package sdktest_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/aws/aws-sdk-go-v2/aws"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/deadline"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// thief keeps a signed request instead of sending it.
type thief struct{ stolen *captured }

var errStolen = errors.New("the request was kept")

// captured is a signed request as it would have been sent.
type captured struct {
	req  *http.Request
	body []byte
}

// RoundTrip keeps the request.
func (th *thief) RoundTrip(r *http.Request) (*http.Response, error) {
	c := &captured{req: r}
	if r.Body != nil {
		var err error
		if c.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	th.stolen = c
	return nil, errStolen
}

// send sends the request to a replica, with the host that was signed.
func (c *captured) send(t *testing.T, p *limpettest.Process) reply {
	t.Helper()
	r, err := c.try(p)
	require.NoError(t, err)
	return r
}

func (c *captured) try(p *limpettest.Process) (reply, error) {
	req := c.req.Clone(c.req.Context())
	req.Host, req.URL.Host = c.req.Host, p.Admin
	if req.Host == "" {
		req.Host = c.req.URL.Host
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
	return exchange(req)
}

// steal has an SDK sign a request.
func steal(t *testing.T, sign func(*thief) error) *captured {
	t.Helper()
	th := &thief{}
	require.Error(t, sign(th))
	require.NotNil(t, th.stolen, "it was not signed")
	return th.stolen
}

func (th *thief) agent(addr string, k key) *agent.Client {
	return agentClient(addr, k, func(o *agent.Options) { o.HTTPClient = &http.Client{Transport: th} })
}

func (th *thief) farm(addr string, k key) *deadline.Client {
	return farmClient(addr, k, func(o *deadline.Options) { o.HTTPClient = &http.Client{Transport: th} })
}

// TestReplayOfAWrite is refused, through the same replica and another, and changes nothing.
func TestReplayOfAWrite(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		id := "replayed"
		create := steal(t, func(th *thief) error {
			at := fcFunction{t: t, client: fcClient(t, d.first().Admin, admin, th), name: counter}
			_, err := at.tryCreate(new(fc.CreateSessionInput).SetSessionId(id))
			return err
		})
		require.Equal(t, http.StatusOK, create.send(t, d.first()).status)
		require.NoError(t, f.remove(id))
		for _, p := range []*limpettest.Process{d.first(), d.last()} {
			r := create.send(t, p)
			require.Equal(t, http.StatusForbidden, r.status, r.body)
			require.Contains(t, r.body, "SignatureNotMatch")
			_, err := f.get(id)
			requireFC(t, err, http.StatusNotFound, "SessionNotFound")
		}

		i := interpreterOf(t, d.first(), admin, agents)
		start := steal(t, func(th *thief) error {
			_, err := interpreter{t, th.agent(d.first().Admin, admin), counter}.tryStart(agent.StartCodeInterpreterSessionInput{
				ClientToken: aws.String("replayed-start-of-a-session-in-" + d.kind),
			})
			return err
		})
		require.Equal(t, http.StatusOK, start.send(t, d.last()).status)
		r := start.send(t, d.first())
		require.Equal(t, http.StatusForbidden, r.status, r.body)
		require.Equal(t, "AccessDeniedException", r.header.Get("X-Amzn-Errortype"))

		// A stop, so that its session can be seen to live on: the session has the ID anew.
		again := f.create(new(fc.CreateSessionInput).SetSessionId(id))
		end := steal(t, func(th *thief) error {
			return job{t, th.farm(d.first().Admin, admin), farmID, counter, "LATEST"}.end(*again.SessionId)
		})
		require.Equal(t, http.StatusOK, end.send(t, d.first()).status)
		f.create(new(fc.CreateSessionInput).SetSessionId(id))
		require.Equal(t, http.StatusForbidden, end.send(t, d.last()).status)
		_, err := f.get(id)
		require.NoError(t, err, "the replayed end has ended nothing")
		require.NoError(t, f.remove(id))
		_, err = i.get(id)
		requireMissing(t, err)
	})
}

// TestReplayAtOnce sends one signed write many times at once: it counts once.
func TestReplayAtOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		invoke := steal(t, func(th *thief) error {
			_, err := agentRuntime{t, th.agent(d.first().Admin, admin), runtimeARN(counter)}.invoke(runtimeID(t))
			return err
		})
		var mu sync.Mutex
		statuses := map[int]int{}
		var all sync.WaitGroup
		for n := range 6 {
			all.Go(func() {
				r, err := invoke.try(d.replicas[n%len(d.replicas)])
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				statuses[r.status]++
			})
		}
		all.Wait()
		require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusForbidden: 5}, statuses)
		require.Equal(t, 2, runtimeOf(t, d.first(), admin, counter).mustInvoke(runtimeID(t)).Count)
	})
}

// TestEqualReadsPass though they share a signature, as two SigV4 requests within one second do.
func TestEqualReadsPass(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		id := *fcOf(t, d.first(), admin, counter).create(nil).SessionId
		for _, read := range []*captured{
			steal(t, func(th *thief) error {
				_, err := job{t, th.farm(d.first().Admin, admin), farmID, counter, "LATEST"}.get(id)
				return err
			}),
			steal(t, func(th *thief) error {
				_, err := interpreter{t, th.agent(d.first().Admin, admin), counter}.get(id)
				return err
			}),
		} {
			for _, p := range []*limpettest.Process{d.first(), d.first(), d.last()} {
				r := read.send(t, p)
				require.Equal(t, http.StatusOK, r.status, r.body)
			}
		}
	})
}

// TestChangedRequestsAreRefused: what is signed is what was meant.
func TestChangedRequestsAreRefused(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		signed := func() *captured {
			return steal(t, func(th *thief) error {
				at := fcFunction{t: t, client: fcClient(t, d.first().Admin, admin, th), name: counter}
				_, err := at.tryCreate(new(fc.CreateSessionInput).SetSessionId("meant"))
				return err
			})
		}
		for what, change := range map[string]func(*captured){
			"body":   func(c *captured) { c.body = bytes.Replace(c.body, []byte("meant"), []byte("other"), 1) },
			"path":   func(c *captured) { c.req.URL.Path = "/2023-03-30/functions/" + small + "/sessions" },
			"query":  func(c *captured) { c.req.URL.RawQuery = "qualifier=prod" },
			"method": func(c *captured) { c.req.Method = http.MethodPut },
			"host":   func(c *captured) { c.req.Host = "elsewhere:9090" },
			"date":   func(c *captured) { c.req.Header["x-acs-date"] = []string{"2026-01-01T00:00:00Z"} },
		} {
			c := signed()
			change(c)
			r := c.send(t, d.first())
			require.Equal(t, http.StatusForbidden, r.status, "%s: %s", what, r.body)
		}
		f := fcOf(t, d.first(), admin, counter)
		_, err := f.get("meant")
		requireFC(t, err, http.StatusNotFound, "SessionNotFound")
	})
}
