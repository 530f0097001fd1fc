package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// faulty is a store that a test takes down.
type faulty struct {
	sessions.Store
	down    atomic.Bool
	forgets atomic.Bool // Once alone fails
	onces   atomic.Int64
}

func (f *faulty) problem() error {
	if f.down.Load() {
		return fmt.Errorf("dial tcp %s1:6379: %w", network, sessions.ErrUnavailable)
	}
	return nil
}

func (f *faulty) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	if err := f.problem(); err != nil {
		return sessions.Session{}, false, err
	}
	return f.Store.Pin(ctx, r)
}

func (f *faulty) Get(ctx context.Context, k sessions.Key) (sessions.Session, error) {
	if err := f.problem(); err != nil {
		return sessions.Session{}, err
	}
	return f.Store.Get(ctx, k)
}

func (f *faulty) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	if err := f.problem(); err != nil {
		return sessions.Page{}, err
	}
	return f.Store.List(ctx, q)
}

func (f *faulty) History(ctx context.Context, k sessions.Key) ([]sessions.Session, error) {
	if err := f.problem(); err != nil {
		return nil, err
	}
	return f.Store.History(ctx, k)
}

func (f *faulty) Qualifiers(ctx context.Context, function string) ([]string, error) {
	if err := f.problem(); err != nil {
		return nil, err
	}
	return f.Store.Qualifiers(ctx, function)
}

func (f *faulty) Instances(ctx context.Context, function string) ([]sessions.InstanceRecord, error) {
	if err := f.problem(); err != nil {
		return nil, err
	}
	return f.Store.Instances(ctx, function)
}

func (f *faulty) Once(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	f.onces.Add(1)
	if err := f.problem(); err != nil || f.forgets.Load() {
		return false, errors.Join(err, sessions.ErrUnavailable)
	}
	return f.Store.Once(ctx, name, ttl)
}

// buffer is what a logger writes to.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// lines returns what was logged so far, and forgets it.
func (b *buffer) lines(t testing.TB) (all []map[string]any) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for decoder := json.NewDecoder(&b.text); ; {
		line := map[string]any{}
		err := decoder.Decode(&line)
		if errors.Is(err, io.EOF) {
			b.text.Reset()
			return all
		}
		require.NoError(t, err)
		all = append(all, line)
	}
}
