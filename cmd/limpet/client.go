package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/limpet-proxy/limpet/dialects"
)

const (
	// maxAnswer bounds what the terminal commands read of one answer: a page of sessions is a small part of it.
	maxAnswer = 16 << 20
	// maxRetryAfter is how long a 429 is waited for, once a request, before it is an error.
	maxRetryAfter = 10 * time.Second
	// functionsPath lists the functions, with their instances, that a key may read.
	functionsPath = "/limpet/v1/functions"
)

// adminClient speaks to the admin listener of a limpet serve. It is safe for concurrent use.
type adminClient struct {
	base     string // URL, without a slash at its end
	secret   string // of the key; "" sends none
	keyNamed string // where the secret comes from, for messages
	timeout  time.Duration
	http     *http.Client
}

// newTransport goes through the proxies that the environment names, which never are asked for loopback addresses.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: 1 << 20, IdleConnTimeout: time.Minute,
	}
}

// notFollowed hands a redirect back as the answer: the admin plane has none, and the secret is for its address only.
func notFollowed(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// apiRequest is one call of the admin plane.
type apiRequest struct {
	method, path string // the path begins with a slash and is escaped
	query        url.Values
	body         any // nil: none
}

// apiAnswer is what came back, read whole.
type apiAnswer struct {
	status int
	header http.Header
	body   []byte
}

// sessionsPath is the path of a function's sessions, or of one: "" stands for all.
func sessionsPath(function, id string) string {
	path := "/" + dialects.FCVersion + "/functions/" + url.PathEscape(function) + "/sessions"
	if id == "" {
		return path
	}
	return path + "/" + url.PathEscape(id)
}

// call sends a request and decodes the answer into out; nil wants an answer without content. Who is told to come back
// in a moment does so, once.
func (c *adminClient) call(ctx context.Context, r apiRequest, out any) (http.Header, error) {
	a, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if wait := retryAfter(a.header); a.status == http.StatusTooManyRequests && 0 < wait && wait <= maxRetryAfter {
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		if a, err = c.send(ctx, r); err != nil {
			return nil, err
		}
	}
	return a.header, c.decode(r, a, out)
}

func (c *adminClient) send(ctx context.Context, r apiRequest) (apiAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, r)
	if err != nil {
		return apiAnswer{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return apiAnswer{}, c.unreachable(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return apiAnswer{}, c.unreachable(err)
	case len(body) > maxAnswer:
		return apiAnswer{}, fmt.Errorf("%s answered with more than %d MiB, %s", c.base, maxAnswer>>20, wrongListener)
	}
	return apiAnswer{res.StatusCode, res.Header, body}, nil
}

func (c *adminClient) request(ctx context.Context, r apiRequest) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	v, _ := buildVersion()
	req.Header.Set("User-Agent", "limpet/"+v)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if c.secret != "" {
		req.Header.Set("Authorization", "Bearer "+c.secret)
	}
	return req, nil
}

// decode makes an error of every answer but the session API's success.
func (c *adminClient) decode(r apiRequest, a apiAnswer, out any) error {
	if a.header.Get("Limpet-Session-Epoch") != "" { // an instance answered, perhaps even in JSON
		return fmt.Errorf("%s is a data listener, where instances answer: %s", c.base, wrongListener)
	}
	if a.status < 200 || a.status > 299 {
		return c.refused(r, a)
	}
	if out == nil && len(bytes.TrimSpace(a.body)) == 0 {
		return nil
	}
	if out == nil {
		out = &struct{}{}
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return c.foreign(a)
	}
	return nil
}

// retryAfter is what the header asks for in seconds, the form that Limpet uses; 0 if it does not.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(h.Get("Retry-After")), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// pause waits, or returns the cause for which ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
