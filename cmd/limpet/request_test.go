package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/limpet-proxy/limpet/sample"
)

// newClient returns a client that keeps its connections, as many as clients ask for.
func newClient() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
}

// quick is for single questions; each has a connection of its own, so that none is left open at a process that ends.
var quick = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// reply is what a client got.
type reply struct {
	status int
	header http.Header
	body   []byte
	sample.Answer
	epoch  uint64 // as the client was told
	closed bool   // Connection: close
}

// code is the failure that Limpet answered with, "" if an instance answered.
func (r reply) code() string { return r.header.Get("Limpet-Error") }

// event is what the client was told of its session.
func (r reply) event() string { return r.header.Get("Limpet-Session-Event") }

func (r reply) String() string { return fmt.Sprintf("%d %s %s", r.status, r.code(), r.body) }

// get sends a request of the session id, "" for none. A reply that breaks off is an error.
func get(client *http.Client, url, id string) (reply, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return reply{}, err
	}
	if id != "" {
		req.Header.Set(sampleHeader, id)
	}
	return do(client, req)
}

// do sends a request and reads its whole response.
func do(client *http.Client, req *http.Request) (reply, error) {
	res, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	r := reply{status: res.StatusCode, header: res.Header, closed: res.Close}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		return reply{}, err
	}
	r.decode()
	return r, nil
}

// decode reads what an instance said. What is no answer shows as a session without a name.
func (r *reply) decode() {
	if r.header.Get(sample.InstanceHeader) != "" {
		_ = json.Unmarshal(r.body, &r.Answer)
	}
	r.epoch, _ = strconv.ParseUint(r.header.Get(sample.SessionEpochHeader), 10, 64)
}

// good is get for a request that must succeed.
func good(client *http.Client, url, id string) (reply, error) {
	r, err := get(client, url, id)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("session %s: %v", id, r)
	}
	return r, err
}
