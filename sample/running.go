package sample

import (
	"context"
	"net"
	"net/http"
	"time"
)

// readHeaderTimeout bounds how long a connection may take to send a request's head.
const readHeaderTimeout = 5 * time.Second

// Running is a Server that listens.
type Running struct {
	*Server
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// Start listens on addr, such as 127.0.0.1:0, and serves a new Server there. It returns once connections are taken.
func Start(addr string, o Options) (*Running, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	r := &Running{Server: New(o), listener: l, done: make(chan struct{})}
	r.server = &http.Server{Handler: r.Server, ReadHeaderTimeout: readHeaderTimeout}
	r.server.RegisterOnShutdown(r.endStreams) // which would not end by themselves
	go func() {
		defer close(r.done)
		_ = r.server.Serve(l) // always an error: the one that Close or Shutdown makes
	}()
	return r, nil
}

// Addr returns the host and port it listens on.
func (r *Running) Addr() string { return r.listener.Addr().String() }

// URL returns the address as a URL without a path.
func (r *Running) URL() string { return "http://" + r.Addr() }

// Close stops listening and breaks off every request, as the death of a program would. It returns when the port is
// free.
func (r *Running) Close() error {
	err := r.server.Close()
	<-r.done
	return err
}

// Shutdown takes no more connections and waits for the requests under way. When ctx ends first, it breaks them off and
// returns ctx's error.
func (r *Running) Shutdown(ctx context.Context) error {
	err := r.server.Shutdown(ctx)
	if err != nil {
		_ = r.server.Close() // the listener is closed, and what it says of that is of no use
	}
	<-r.done
	return err
}
