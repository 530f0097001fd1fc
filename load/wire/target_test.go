package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

func ExampleNewTarget() {
	target, err := wire.NewTarget("http://127.0.0.1:8080/turn?level=3")
	fmt.Println(target.URL.Host, target.URL.RequestURI(), err)

	_, err = wire.NewTarget("ftp://127.0.0.1/")
	fmt.Println(err)
	fmt.Println(errors.Is(err, wire.ErrTarget))
	// Output:
	// 127.0.0.1:8080 /turn?level=3 <nil>
	// not a target: its scheme is "ftp", accepted are http and https
	// true
}

func TestTargets(t *testing.T) {
	for text, uri := range map[string]string{
		"http://h":            "/",
		"https://h/":          "/",
		"http://h:1":          "/",
		"http://h:65535/a":    "/a",
		"http://[::1]:80/a":   "/a",
		"http://h/a%20b/%2F":  "/a%20b/%2F",
		"http://h/a b":        "/a%20b",
		"http://h/ü":          "/%C3%BC",
		"http://h//a":         "//a",
		"http://h?a=b&c;d":    "/?a=b&c;d",
		"http://h/?a=%20&b=+": "/?a=%20&b=+",
		"http://h/?":          "/?",
		"HTTP://h/":           "/",
	} {
		target, err := wire.NewTarget(text)
		require.NoError(t, err, text)
		require.Equal(t, uri, target.URL.RequestURI(), text)
	}
	for _, text := range []string{
		"", "h", "h:80", "/", "//h/", "ftp://h/", "http:", "http:///", "http://:80/", "http:h", "http://u@h/", "http://u:p@h/", "http://h/#f",
		"http://h:0/", "http://h:65536/", "http://h:x/", "http://h/\r\nA: b", "http://h/\x00", "http://h\r\n/", "http://h /", "http://h/?a b",
		"http://h/?ü", "http://bücher/", "http://[fe80::1%25lo]/", "http://h%25/", "http://h/%zz", "http://h/?a\tb", strings.Repeat("x", 1000) + "://h/",
	} {
		_, err := wire.NewTarget(text)
		require.ErrorIs(t, err, wire.ErrTarget, text)
		require.NotContains(t, err.Error(), "\n")
	}
}

// FuzzNewTarget: whatever the text, the request's line and its Host stay one line each, of three words and of one.
func FuzzNewTarget(f *testing.F) {
	for _, text := range []string{
		"http://h", "https://h:8443/a?b=c#", "http://[::1]/", "http://h/?a b", "http://h/%0d%0a", "http://h/\r\nA: b", "http://%0d%0a/", "http://h:/",
		"http://h/?%", "http://[fe80::1%25%0a]/", "http://h\\@g/", "http://h?;", "http://h/a?b?c",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := wire.NewTarget(text)
		if err != nil {
			require.ErrorIs(t, err, wire.ErrTarget)
			return
		}
		for _, word := range []string{target.URL.RequestURI(), target.URL.Host} {
			require.NotEmpty(t, word)
			require.False(t, strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }), "%q", word)
		}
		require.True(t, strings.HasPrefix(target.URL.RequestURI(), "/"), target.URL.RequestURI())
		_, err = http.NewRequest(http.MethodGet, target.URL.String(), nil)
		require.NoError(t, err)
	})
}

func TestDialErrors(t *testing.T) {
	l := listen(t)
	target, err := wire.NewTarget("http://" + l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = target.Dial(t.Context())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = target.Dial(ctx)
	require.Error(t, err)

	// A server that never answers the handshake is left in time.
	silent := serve(t, answer())
	secured, err := wire.NewTarget("https://" + silent.URL.Host)
	require.NoError(t, err)
	secured.DialTimeout = 100 * time.Millisecond
	began := time.Now()
	_, err = secured.Dial(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), wire.DefaultDialTimeout)
}
