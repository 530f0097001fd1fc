package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
)

const (
	// MasterName is what the sentinels call their master.
	MasterName = "limpet"

	replicas  = 2
	sentinels = 3
	quorum    = 2
)

// Sentinel is a master, its replicas, and the sentinels that promote one of them about a second after the master
// stopped answering.
type Sentinel struct {
	Servers   []*Server // the first is the master at the start
	Sentinels []*Server
}

// NewSentinel starts a master, two replicas and three sentinels for a test.
func NewSentinel(t testing.TB, o Options) *Sentinel {
	t.Helper()
	return forTest(t, StartSentinel, o)
}

// StartSentinel starts a master, two replicas and three sentinels, and returns when all know each other. The caller
// closes it.
func StartSentinel(o Options) (*Sentinel, error) {
	s := &Sentinel{}
	if err := s.start(o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Sentinel) start(o Options) error {
	master, err := StartStandalone(o)
	if err != nil {
		return err
	}
	s.Servers = []*Server{master}
	for range replicas {
		replica, err := startServer(o, func(int) ([]string, error) {
			return append(dataConfig(o), fmt.Sprintf("replicaof 127.0.0.1 %d", master.port)), nil
		})
		if err != nil {
			return err
		}
		s.Servers = append(s.Servers, replica)
	}
	// A sentinel asks a master for its replicas every ten seconds, and first at its own start: so they come first.
	if err := until(s.replicasSynced); err != nil {
		return err
	}
	for range sentinels {
		sentinel, err := startSentinel(o, master)
		if err != nil {
			return err
		}
		s.Sentinels = append(s.Sentinels, sentinel)
	}
	return until(s.acquainted)
}

func startSentinel(o Options, master *Server) (*Server, error) {
	bin, err := o.binary()
	if err != nil {
		return nil, err
	}
	config := func(int) ([]string, error) {
		return []string{
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", MasterName, master.port, quorum),
			"sentinel down-after-milliseconds " + MasterName + " 1000",
			"sentinel failover-timeout " + MasterName + " 3000",
			"sentinel parallel-syncs " + MasterName + " 2",
		}, nil
	}
	for range startTries {
		var s *Server
		if s, err = newServer(bin, Options{}, config); err != nil {
			return nil, err
		}
		s.args = []string{"--sentinel"}
		if err = s.Restart(); err == nil {
			return s, nil
		}
		s.Close()
	}
	return nil, err
}

func (s *Sentinel) replicasSynced() error {
	master := redis.NewClient(&redis.Options{Addr: s.Servers[0].Addr})
	defer master.Close()
	for range replicas {
		acked, err := master.Wait(context.Background(), replicas, StartTimeout/20).Result()
		if err != nil {
			return err
		}
		if acked == replicas {
			return nil
		}
	}
	return errors.New("replicas are not connected")
}

// acquainted checks that every sentinel knows the replicas and the other sentinels.
func (s *Sentinel) acquainted() error {
	for _, server := range s.Sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: server.Addr})
		m, err := c.Master(context.Background(), MasterName).Result()
		_ = c.Close()
		if err != nil {
			return err
		}
		if m["num-slaves"] != strconv.Itoa(replicas) || m["num-other-sentinels"] != strconv.Itoa(sentinels-1) {
			return fmt.Errorf("sentinel %s knows %s replicas and %s sentinels", server.Addr, m["num-slaves"], m["num-other-sentinels"])
		}
	}
	return nil
}

// Addrs are the sentinels' addresses.
func (s *Sentinel) Addrs() []string { return addrs(s.Sentinels) }

// Master returns the server that the sentinels call master now, or nil while they disagree or name none of these.
func (s *Sentinel) Master() *Server {
	var master string
	for _, server := range s.Sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: server.Addr})
		at, err := c.GetMasterAddrByName(context.Background(), MasterName).Result()
		_ = c.Close()
		if err != nil || len(at) != 2 {
			return nil
		}
		addr := net.JoinHostPort(at[0], at[1])
		if master != "" && addr != master {
			return nil
		}
		master = addr
	}
	for _, server := range s.Servers {
		if server.Addr == master {
			return server
		}
	}
	return nil
}

// Close kills all of them, the sentinels first so that none starts a failover.
func (s *Sentinel) Close() {
	closeAll(s.Sentinels)
	closeAll(s.Servers)
}

func addrs(servers []*Server) []string {
	var a []string
	for _, s := range servers {
		a = append(a, s.Addr)
	}
	return a
}

func closeAll(servers []*Server) {
	for _, s := range servers {
		s.Close()
	}
}
