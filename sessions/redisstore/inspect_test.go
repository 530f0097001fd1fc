package redisstore_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// syncBuffer is a buffer that a logger and a test may use at the same time.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestWarnsOfAServerThatEvicts(t *testing.T) {
	t.Parallel()
	server := redistest.Standalone(t, redistest.Options{Config: []string{"maxmemory-policy allkeys-lru"}})
	var log syncBuffer
	open(t, topology{config: configOf(server.Addr), options: redisstore.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}})
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "allkeys-lru") }, recovery, 5*time.Millisecond)
	require.NotContains(t, log.String(), "version 7")
}
