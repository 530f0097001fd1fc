package sdktest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// await waits for c, and returns what comes, if anything does but its end.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case got := <-c:
		return got
	case <-time.After(limpettest.Patience):
		require.Fail(t, "does not happen: "+what)
		panic("unreachable")
	}
}

// eventually asks until what returns nil.
func eventually(t *testing.T, what func() error) {
	t.Helper()
	require.NoError(t, limpettest.Poll(what))
}

// waitUntil lets time pass. It is for what the time itself decides.
func waitUntil(moment time.Time) { time.Sleep(time.Until(moment)) }

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// errStill means that what a test waits for has not happened yet.
var errStill = errors.New("it is still as before")
