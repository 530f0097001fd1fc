package embeddedstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
	"github.com/limpet-proxy/limpet/sessions/storetest"
)

// open opens a store in a directory, or in memory, and closes it with the test.
func open(tb testing.TB, path string) *embeddedstore.Store {
	tb.Helper()
	s, err := embeddedstore.Open(embeddedstore.Config{Path: path})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func TestSuite(t *testing.T) {
	for name, h := range map[string]storetest.Harness{
		"memory":  {Open: func(tb testing.TB) sessions.Store { return open(tb, "") }},
		"durable": {Open: func(tb testing.TB) sessions.Store { return open(tb, tb.TempDir()) }},
	} {
		t.Run(name, func(t *testing.T) { storetest.Run(t, h) })
	}
}
