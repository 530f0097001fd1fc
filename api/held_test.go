package api_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
)

// slowBody tells of its first read, and ends when it is told to.
type slowBody struct {
	read chan<- struct{}
	end  <-chan struct{}
	once sync.Once
}

func (b *slowBody) Read([]byte) (int, error) {
	b.once.Do(func() { b.read <- struct{}{} })
	<-b.end
	return 0, io.EOF
}

func (b *slowBody) Close() error { return nil }

// TestFewLargeBodiesAreHeld: anybody who knows a key's ID can make Limpet read a body before its signature can be
// checked. Few of those are in memory at once, and small ones do not wait for them.
func TestFewLargeBodiesAreHeld(t *testing.T) {
	w := newWorld(t)
	const target = "/runtimes/counter/invocations"
	c := of(onlyCall)
	c.payload = "-"
	read, end := make(chan struct{}, 2*api.MaxHeldBodies), make(chan struct{})
	answers := make(chan answer, 2*api.MaxHeldBodies)
	for range 2 * api.MaxHeldBodies {
		r := c.sigV4(draft(t, "", "POST", target, "x"), "forged")
		r.Body, r.ContentLength = &slowBody{read: read, end: end}, -1
		go func() { answers <- w.serve(r) }()
	}
	for range api.MaxHeldBodies {
		<-read
	}
	select {
	case <-read:
		require.Fail(t, "one more body is read than there are slots")
	case <-time.After(50 * time.Millisecond): // it cannot be shown that nothing will come
	}
	small := "small"
	require.Equal(t, small, w.serve(c.sigV4(draft(t, "", "POST", target, small), small)).body)
	close(end)
	for range 2 * api.MaxHeldBodies {
		require.Equal(t, http.StatusForbidden, (<-answers).status)
	}
	large := strings.Repeat("x", api.MaxBody+1)
	require.Equal(t, large, w.serve(c.sigV4(draft(t, "", "POST", target, large), large)).body, "the slots are free again")
}
