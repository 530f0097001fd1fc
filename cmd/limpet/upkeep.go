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

// drainer sends away the sessions of drained instances. What it ended, the tables have counted.
func (p *process) drainer() sessions.Drainer {
	full := map[string]bool{} // functions whose last round found no room: told once
	return sessions.Drainer{
		Tables: p.functions.tables,
		Emptied: func(function string, d sessions.Departures, err error) {
			log := p.logger.With("function", function)
			switch {
			case err != nil && !errors.Is(err, sessions.ErrUnavailable):
				log.Error("drained instances not emptied, to be tried again", "error", err)
			case d.Full && !full[function]:
				log.Warn("sessions stay on a drained instance: no other has room")
			case d.Moved+d.Ended > 0:
				log.Info("sessions left a drained instance", "moved", d.Moved, "ended", d.Ended)
			}
			full[function] = d.Full
		},
	}
}
