// Package redisstore keeps the session table on Redis: standalone, Sentinel or Cluster.
//
// # Layout
//
// All keys of one function share a hash tag, so that one script can change what belongs together, in Cluster too.
// Function and qualifier are percent-encoded, so that names with colons or braces cannot meet. P is Config.KeyPrefix,
// F the function, Q the qualifier; "member" is "Q:ID".
//
//	P:s:{F}:Q:ID   string   the Active session's record (record.go); never with a key TTL
//	P:x:{F}        zset     member by deadline in µs; a touch changes this and not the record
//	P:m:{F}        zset     member by its instance's number: the members of an instance are one score range
//	P:c:{F}        hash     "incarnation\0version\0instance" -> "sessions number"
//	P:i:{F}        hash     "version\0instance" -> the registry's record (instance.go)
//	P:w:{F}        hash     high-water marks: epoch, incarnation, number; when the registry was last tidied; and of each
//	                        instance that drains "drain\0version\0instance" -> "incarnation since until"
//	P:a:{F}:Q      zset     Active listing, lexicographic: creation time in µs (8 bytes), ID
//	P:z:{F}:Q      zset     Ended listing, lexicographic: creation time, ID, epoch (8 bytes)
//	P:y:{F}        zset     Ended listing by instance, lexicographic: version and instance (each with its length in 2
//	                        bytes), creation time, member, epoch; the Active one is P:c with P:m
//	P:e:{F}:Q:ID   hash     ended records of an ID by epoch, and "block": until when the ID may not be used again
//	P:p:{F}        zset     the entries of P:y by when their retention is over
//	P:u:{F}        zset     requests in flight: epoch (8 bytes), member, by until when a touch stands for them in µs
//	P:q:{F}        set      the qualifiers, percent-encoded, that have had a session
//	P:t:{F}:CALL   string   the answer of an Update, or of an End that left no trace, for the 10 s in which it may be sent
//	                        again
//	P:k:NAME       string   a secret
//	P:o:HASH       string   the call that used a name once, until it may be used again; SHA-256 of the name
//
// The ID of a reservation begins with a NUL byte. Of these keys it has P:s, P:x, P:m and P:c, and no others.
//
// docs/decisions/0002-redis-layout.md says why.
//
// # Access
//
// The user needs no more than this on every data node, standalone, with Sentinel and in Cluster (for the prefix
// "limpet"). It can neither read the configuration nor other keys, nor flush. To the sentinels themselves Limpet
// speaks without a user.
//
//	user limpet on >PASSWORD ~limpet:* resetchannels &limpet:news -@all +ping +hello +auth +info +wait +cluster|slots +cluster|shards +readonly +command +eval +evalsha +exists +get +set +mget +del +pttl +pexpire +time +hget +hset +hdel +hmget +hgetall +hincrby +sadd +smembers +zadd +zrem +zremrangebyscore +zcount +zscore +zmscore +zrange +zrangebylex +client|tracking +subscribe
package redisstore

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/limpet-proxy/limpet/sessions"
)

// Options are what Config cannot say.
type Options struct {
	// TLS replaces the configuration that Config.TLS stands for. If nil and Config.TLS is set: the system's roots,
	// and the host of the address as the server's name.
	TLS *tls.Config
	// Timeout replaces DialTimeout, ReadTimeout, WriteTimeout and PoolTimeout. If zero, it is those.
	Timeout time.Duration
	// Logger is told what an operator should know. If nil, nobody is.
	Logger *slog.Logger
}

// Store is a sessions.Store on Redis. It is safe for concurrent use.
//
// Whatever keeps Redis from answering is sessions.ErrUnavailable: no connection, a time-out, a server that loads its
// data, was demoted, is out of memory or refuses the password. The caller's own cancelled context is returned as it
// is. After breakerFailures failures to get an answer in a row, callers are answered at once until a probe in the
// background gets through.
type Store struct {
	client   redis.UniversalClient
	keys     keyspace
	scripts  scripts
	breakers breakers
	log      *slog.Logger
	// acked says that a write is acknowledged only when a replica has it: see replicated.
	acked      bool
	ackTimeout time.Duration // of a write, with Sentinel

	news atomic.Pointer[news] // while somebody follows

	stop    context.CancelFunc
	running sync.WaitGroup
}

var _ sessions.Store = (*Store)(nil)

// Open returns a store. It does not wait for Redis, nor need it: until Redis answers, operations return
// sessions.ErrUnavailable. It fails only for a configuration that cannot be used, such as a missing password file
// or a certificate that cannot be read.
func Open(cfg Config, o Options) (*Store, error) {
	universal, err := universalOptions(cfg, o)
	if err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	} else {
		logTo(log)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{
		client: redis.NewUniversalClient(universal), keys: keyspace{prefix: cfg.KeyPrefix}, scripts: loadScripts(),
		log: log, acked: cfg.MasterName != "", ackTimeout: ackTimeout(universal.ReadTimeout), stop: stop,
	}
	s.breakers = breakers{perFunction: isCluster(cfg), probe: s.probe, ctx: ctx, running: &s.running}
	s.running.Go(func() { s.inspect(ctx) })
	return s, nil
}

// Ping says whether Redis answers. In Cluster, whether any node does.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "", func(ctx context.Context) error { return s.client.Ping(ctx).Err() })
}

// Close closes all connections. Operations under way may fail.
func (s *Store) Close() error {
	s.stop()
	err := s.client.Close()
	s.running.Wait()
	return err
}
