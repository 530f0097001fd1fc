package process_test

import (
	"context"
	"fmt"
	"net"
	"net/url"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/process"
)

func ExampleNew() {
	cfg := process.Config{ProcessConfig: instances.DefaultProcessConfig(), PerInstance: 20}
	cfg.Command = []string{"/proc/self/exe", "play", "web"} // it listens on $PORT
	cfg.Min = 2
	cfg.Probe = func(_ context.Context, u *url.URL) error {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	// The main function of this program calls Keep when its first argument is keep.
	s := process.New(cfg, process.Host{Keeper: []string{"/proc/self/exe", "keep"}, Owner: "replica1", Ports: &process.Ports{}})

	ctx, cancel := context.WithCancel(context.Background())
	s.Run(ctx, func() {
		if places, known := s.Places(); known && len(places) == 2 {
			fmt.Println(len(places), "processes on", places[0].URL.Hostname())
			cancel() // and Run returns when they are gone
		}
	})
	// Output: 2 processes on 127.0.0.1
}
