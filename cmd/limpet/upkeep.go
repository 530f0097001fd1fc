package main

import (
	"errors"

	"github.com/limpet-proxy/limpet/metrics"
	"github.com/limpet-proxy/limpet/sessions"
)

func (p *process) touchesWritten(n int, err error) {
	if err == nil {
		p.metrics.Touches(metrics.TouchWritten, n)
		return
	}
	p.metrics.Touches(metrics.TouchFailed, n)
	if !errors.Is(err, sessions.ErrUnavailable) { // that one is told once, by the watch
		p.logger.Warn("touches not written, to be tried again", "touches", n, "error", err)
	}
}

func (p *process) sweeper() sessions.Sweeper {
	return sessions.Sweeper{
		Store: p.store, Functions: p.functions.names,
		Swept: func(function string, ended int, err error) {
			p.metrics.Ended(function, metrics.EndedSwept, ended)
			if err != nil && !errors.Is(err, sessions.ErrUnavailable) {
				p.logger.Error("sweep failed", "function", function, "error", err)
			}
		},
	}
}
