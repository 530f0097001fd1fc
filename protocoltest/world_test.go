package protocoltest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// binary is limpet, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "protocoltest-")
	if err == nil {
		defer os.RemoveAll(dir)
		binary, err = limpettest.Build("..", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// serve runs limpet serve on a configuration until the end of the test. Its listeners are on free ports of loopback
// unless the configuration says otherwise.
func serve(t testing.TB, config string) *limpettest.Process {
	t.Helper()
	return serveBinary(t, binary, config)
}

// serveBinary is serve with another binary.
func serveBinary(t testing.TB, binary, config string) *limpettest.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "limpet.yaml")
	require.NoError(t, os.WriteFile(file, []byte("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"+config), 0o600))
	p, err := limpettest.Start(binary, file)
	require.NoError(t, err)
	t.Cleanup(func() {
		if !p.Ended() {
			require.NoError(t, p.Stop())
		}
		if t.Failed() {
			t.Logf("limpet:\n%s", p.Tail())
		}
	})
	return p
}

// redis runs a Redis until the end of the test, and returns a store's configuration on it.
func redis(t *testing.T) (store string) {
	t.Helper()
	server, err := redistest.StartStandalone(redistest.Options{})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return fmt.Sprintf("store: {kind: redis, redis: {addrs: [%s]}}\n", server.Addr)
}
