package redisstore_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// aclLine finds the ACL line in the package comment, so that what operators copy is what the tests run with.
func aclLine(source, password string) string {
	for line := range strings.Lines(source) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "//\tuser limpet "); ok {
			return "user limpet " + strings.ReplaceAll(text, ">PASSWORD", ">"+password)
		}
	}
	return ""
}

// TestOperatorsReadTheSameUser: the line stands in docs/operations.md too, and an operator who copies an old one is
// refused at the first new session.
func TestOperatorsReadTheSameUser(t *testing.T) {
	source, err := os.ReadFile("redisstore.go")
	require.NoError(t, err)
	documented, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	require.Contains(t, string(documented), "\n"+aclLine(string(source), "PASSWORD")+"\n")
}

func TestTheDocumentedUserCanDoNoMore(t *testing.T) {
	t.Parallel()
	s := secured.get(t)
	c := redis.NewClient(&redis.Options{Addr: s.config.Addrs[0], TLSConfig: s.options.TLS, Username: "limpet", Password: aclPassword})
	defer c.Close()
	require.NoError(t, c.Set(t.Context(), "limpet:k:mine", "x", 0).Err())
	for _, refused := range []error{
		c.Get(t.Context(), "others").Err(), c.FlushAll(t.Context()).Err(), c.ConfigGet(t.Context(), "*").Err(),
		c.Keys(t.Context(), "*").Err(), c.ACLList(t.Context()).Err(), c.Do(t.Context(), "SAVE").Err(),
	} {
		require.ErrorContains(t, refused, "NOPERM")
	}
}

// TestTheDocumentedUserCanDoEnough: the other topologies ask the server for more than standalone does.
func TestTheDocumentedUserCanDoEnough(t *testing.T) {
	t.Parallel()
	user, err := aclUser()
	require.NoError(t, err)
	options := redistest.Options{Config: []string{user}}
	byCluster := configOf(redistest.NewCluster(t, options).Addrs()...)
	bySentinel := configOf(redistest.NewSentinel(t, options).Addrs()...)
	bySentinel.MasterName = redistest.MasterName
	for _, cfg := range []redisstore.Config{byCluster, bySentinel} {
		cfg.Username, cfg.PasswordFile = "limpet", filepath.Join(t.TempDir(), "password")
		require.NoError(t, os.WriteFile(cfg.PasswordFile, []byte(aclPassword), 0o600))
		var log syncBuffer
		s := open(t, topology{config: cfg, options: redisstore.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}})
		pinned := pin(t, s, "x")
		_, err := s.End(t.Context(), pinned, true)
		require.NoError(t, err)
		_, err = s.Secret(t.Context(), "cookie")
		require.NoError(t, err)
		first, err := s.Once(t.Context(), "nonce", time.Minute)
		require.NoError(t, err)
		require.True(t, first)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Follow(ctx, func(sessions.Key) {})
		}()
		require.Eventually(t, func() bool {
			fresh := s.Fresh(own(t))
			return !fresh.Since.IsZero() && !fresh.Lost
		}, recovery, time.Millisecond)
		stop()
		<-ended
		require.Equal(t, sessions.Freshness{}, s.Fresh(own(t)))
		require.NotContains(t, log.String(), "NOPERM")
	}
}
