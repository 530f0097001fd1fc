package redisstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	inspectInterval = time.Second
	minMajor        = 7 // of Redis: scripts with a shebang, SET NX GET
)

// inspect tells the operator, at the first contact, about a server that will not do.
func (s *Store) inspect(ctx context.Context) {
	tick := time.NewTicker(inspectInterval)
	defer tick.Stop()
	for {
		err := s.inspectServers(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if answered(err) {
			s.log.Warn("redis: cannot inspect the server", "error", err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Store) inspectServers(ctx context.Context) error {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error { return s.inspectServer(ctx, master) })
	}
	return s.inspectServer(ctx, s.client)
}

type infoer interface {
	Info(ctx context.Context, sections ...string) *redis.StringCmd
}

func (s *Store) inspectServer(ctx context.Context, server infoer) error {
	text, err := server.Info(ctx).Result()
	if err != nil {
		return err
	}
	info := parseInfo(text)
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		s.log.Warn("redis: maxmemory-policy should be noeviction: an evicted session is pinned again elsewhere",
			"maxmemory_policy", policy, "port", info["tcp_port"])
	}
	if version := info["redis_version"]; majorOf(version) < minMajor {
		s.log.Warn("redis: version 7 or later is needed", "redis_version", version, "port", info["tcp_port"])
	}
	return nil
}

// parseInfo reads the lines "name:value" of INFO.
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func majorOf(version string) int {
	major, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(major)
	return n
}
