package redistest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const (
	masters      = 3
	clusterSlots = 16384
)

// Cluster is a Redis Cluster of three masters without replicas.
type Cluster struct {
	Servers []*Server

	busPorts []int
}

// NewCluster starts a cluster for a test.
func NewCluster(t testing.TB, o Options) *Cluster {
	t.Helper()
	return forTest(t, StartCluster, o)
}

// StartCluster starts a cluster, and returns when every node serves. The caller closes it.
func StartCluster(o Options) (*Cluster, error) {
	c := &Cluster{}
	if err := c.start(o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(o Options) error {
	for range masters {
		var bus int
		server, err := startServer(o, func(int) (lines []string, err error) {
			// By default the bus is 10000 above the port, which may be taken or beyond the last port.
			bus, err = freePort()
			return append(dataConfig(o), "cluster-enabled yes", "cluster-announce-ip 127.0.0.1", "cluster-node-timeout 1000",
				fmt.Sprintf("cluster-port %d", bus)), err
		})
		if err != nil {
			return err
		}
		c.Servers, c.busPorts = append(c.Servers, server), append(c.busPorts, bus)
	}
	for i := range c.Servers {
		if err := c.join(i); err != nil {
			return err
		}
	}
	return until(c.serves)
}

// join gives node i its share of the slots and introduces it to the first node.
func (c *Cluster) join(i int) error {
	node, ctx := c.client(i), context.Background()
	defer node.Close()
	// Distinct epochs spare the nodes a collision, which takes them seconds to settle.
	if err := node.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
		return err
	}
	first, last := i*clusterSlots/masters, (i+1)*clusterSlots/masters-1
	if err := node.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
		return err
	}
	if i == 0 {
		return nil
	}
	return node.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", c.Servers[0].port, c.busPorts[0]).Err()
}

func (c *Cluster) client(i int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: c.Servers[i].Addr, MaxRetries: -1})
}

// serves checks that every node sees every node and every slot.
func (c *Cluster) serves() error {
	for i := range c.Servers {
		node := c.client(i)
		info, err := node.ClusterInfo(context.Background()).Result()
		_ = node.Close()
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", masters)) {
			return fmt.Errorf("cluster node %s does not serve yet: %s", c.Servers[i].Addr, info)
		}
	}
	return nil
}

// Addrs are the nodes' addresses.
func (c *Cluster) Addrs() []string { return addrs(c.Servers) }

// Close kills all nodes.
func (c *Cluster) Close() { closeAll(c.Servers) }
