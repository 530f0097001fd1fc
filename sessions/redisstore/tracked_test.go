package redisstore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// tracked are the IDs of the connections on which a server tells of changes.
func tracked(t *testing.T, addr string) (ids []int64) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	list, err := c.ClientList(context.Background()).Result()
	require.NoError(t, err)
	for line := range strings.Lines(list) {
		if strings.Contains(line, " flags=P") || strings.Contains(line, "B ") && strings.Contains(line, "flags=PtB") {
			ids = append(ids, field(t, line))
		}
	}
	return ids
}

func field(t *testing.T, line string) (id int64) {
	t.Helper()
	text, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
	for _, d := range text {
		id = 10*id + int64(d-'0')
	}
	return id
}

func kill(t *testing.T, addr string, ids []int64) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	for _, id := range ids {
		require.NoError(t, c.Do(context.Background(), "CLIENT", "KILL", "ID", id).Err())
	}
}

func flush(t *testing.T, addr string) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	require.NoError(t, c.FlushAll(context.Background()).Err())
}
