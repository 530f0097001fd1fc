package sdktest_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
	"github.com/limpet-proxy/limpet/sample"
)

// sessionHeader is the affinity header of the functions that have one.
const sessionHeader = "X-Session-Id"

// call is an HTTP request without an SDK.
type call struct {
	method string // GET
	addr   string
	path   string
	header map[string]string
	body   string
}

// reply is what came back. The Answer is the instance's, if one answered.
type reply struct {
	status int
	header http.Header
	body   string
	sample.Answer
}

// try sends the request.
func (c call) try() (reply, error) {
	req, err := http.NewRequest(c.method, "http://"+c.addr+c.path, strings.NewReader(c.body))
	if err != nil {
		return reply{}, err
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	return exchange(req)
}

func (c call) do(t *testing.T) reply {
	t.Helper()
	r, err := c.try()
	require.NoError(t, err)
	return r
}

func exchange(req *http.Request) (reply, error) {
	res, err := connections.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	return readReply(res.StatusCode, res.Header, res.Body)
}

func readReply(status int, header http.Header, from io.Reader) (reply, error) {
	body, err := io.ReadAll(from)
	r := reply{status: status, header: header, body: string(body)}
	_ = json.Unmarshal([]byte(r.body), &r.Answer) // an error's body is none
	return r, err
}

// visit sends a request to a function on the data listener, with a session's ID in the header, and requires that an
// instance answers.
func visit(t *testing.T, p *limpettest.Process, function, id string) reply {
	t.Helper()
	r := call{addr: p.Listen, path: "/" + function, header: map[string]string{sessionHeader: id}}.do(t)
	require.Equal(t, http.StatusOK, r.status, r.body)
	return r
}

// bearer is the header of a caller who does not sign.
func (k key) bearer() map[string]string {
	return map[string]string{"Authorization": "Bearer " + k.secret}
}

// visitHeld sends a request that is held, and returns when its answer has begun. The reply comes when the hold is released.
func visitHeld(t *testing.T, p *limpettest.Process, function, id string) (h *hold, answer <-chan reply) {
	t.Helper()
	name, h := holdFor(t)
	req, err := http.NewRequest(http.MethodPost, "http://"+p.Listen+"/"+function, strings.NewReader(`{"hold":"`+name+`"}`))
	require.NoError(t, err)
	req.Header.Set(sessionHeader, id)
	res, err := connections.RoundTrip(req)
	require.NoError(t, err)
	body := bufio.NewReader(res.Body)
	line, err := body.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, held, line)
	replies := make(chan reply, 1)
	go func() {
		defer res.Body.Close()
		r, err := readReply(res.StatusCode, res.Header, body)
		if err != nil {
			r.body = err.Error()
		}
		replies <- r
	}()
	return h, replies
}

// ask sends a call that has to succeed, and decodes the JSON that it answers.
func ask(t *testing.T, c call, into any) {
	t.Helper()
	r := c.do(t)
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.NoError(t, json.Unmarshal([]byte(r.body), into))
}
