package main

import (
	"context"
	"errors"
	"net"
	"time"
)

// flushTimeout bounds the last write of touches.
const flushTimeout = 3 * time.Second

// leave takes this replica out of service: /readyz says so for the delay while requests are still served, then those
// in flight finish until the deadline.
func (p *process) leave() {
	p.leaving.Store(true)
	cfg := *p.shutdown.Load()
	p.server.Leave()
	p.logger.Info("leaving", "delay", cfg.Delay.String(), "deadline", cfg.Deadline.String())
	time.Sleep(cfg.Delay)
	if cut := p.server.Shutdown(cfg.Deadline); cut > 0 {
		p.logger.Warn("requests were cut at the deadline", "requests", cut)
	}
}

// close writes the last touches and closes what is open.
func (p *process) close() error {
	p.stop()
	p.functions.close()
	var err error
	if p.adminServer != nil {
		err = p.adminServer.Close()
	}
	err = errors.Join(err, closed(p.data), closed(p.admin))
	p.background.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if ferr := p.cache.Flush(ctx, p.store); ferr != nil {
		p.logger.Warn("last touches not written", "error", ferr)
	}
	return errors.Join(err, p.store.Close())
}

// closed closes a listener that its server may have closed already.
func closed(l net.Listener) error {
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
