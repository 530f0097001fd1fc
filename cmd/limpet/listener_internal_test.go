package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/configs"
)

// A listener fails, nobody sends a signal: the process has to end by itself, with the error, reloads or no.
func TestAListenerThatFailsEndsTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limpet.yaml")
	require.NoError(t, os.WriteFile(file, []byte("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nshutdown: {delay: 0s}\nfunctions:\n"+
		"  - name: f\n    instances: {static: [{id: a, url: 'http://127.0.0.1:9'}]}\n"), 0o600))
	loaded, err := configs.Load(file)
	require.NoError(t, err)
	p, err := newProcess(loaded.Config, slog.New(slog.DiscardHandler), slog.New(slog.NewJSONHandler(io.Discard, nil)))
	require.NoError(t, err)
	reloads := newReloader(file)
	defer reloads.close()
	reloads.process, reloads.current = p, loaded.Config
	done := make(chan error, 1)
	go func() { done <- serveReloading(t.Context(), p, reloads, func() { p.data.Close() }) }()
	select {
	case err := <-done:
		require.ErrorContains(t, err, "listen")
	case <-time.After(10 * time.Second):
		t.Fatal("still there")
	}
}
