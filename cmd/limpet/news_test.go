package main_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// TestASessionDeletedThroughOneReplicaIsLeftByTheOther: by far sooner than a copy in its cache would be checked again.
func TestASessionDeletedThroughOneReplicaIsLeftByTheOther(t *testing.T) {
	t.Parallel()
	redis := redistest.Standalone(t, redistest.Options{})
	file := setup{
		store:     fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr),
		functions: []function{{instances: samples(t, 2)}},
	}.file(t)
	one, other := serve(t, file), serve(t, file)
	other.eventually(func() error {
		if age, err := strconv.ParseFloat(other.metric("limpet_cache_news_age_seconds"), 64); err != nil || age > 0.5 {
			return fmt.Errorf("the news are %v s old: %w", age, err)
		}
		return nil
	})
	var lags []time.Duration
	for range 30 {
		was := other.answer("/", "alice")
		r, err := http.NewRequest(http.MethodDelete, one.admin+"/2023-03-30/functions/counter/sessions/alice", nil)
		require.NoError(t, err)
		deleted, err := do(quick, r)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, deleted.status)
		start := time.Now()
		for other.answer("/", "alice").epoch == was.epoch {
			require.Less(t, time.Since(start), patience)
		}
		lags = append(lags, time.Since(start))
	}
	slices.Sort(lags)
	t.Logf("half within %v, all within %v", lags[len(lags)/2], lags[len(lags)-1])
	require.Less(t, lags[len(lags)/2], 200*time.Millisecond, "promised are 50 ms, on a machine that is not busy with tests")
	require.NotEqual(t, "0", other.metric("limpet_cache_invalidations_total"))
}
