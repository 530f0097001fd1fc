package process

import (
	"errors"
	"os"
)

// pipes are those between Limpet and a keeper. Each end is closed on exec, so no other child holds one.
type pipes struct {
	controlR, controlW *os.File
	statusR, statusW   *os.File
	stdoutR, stdoutW   *os.File
	stderrR, stderrW   *os.File
}

func openPipes() (p *pipes, err error) {
	p = &pipes{}
	for _, ends := range []struct{ r, w **os.File }{
		{&p.controlR, &p.controlW}, {&p.statusR, &p.statusW}, {&p.stdoutR, &p.stdoutW}, {&p.stderrR, &p.stderrW},
	} {
		r, w, failed := os.Pipe()
		*ends.r, *ends.w = r, w
		err = errors.Join(err, failed)
	}
	if err != nil {
		p.closeTheirs()
		p.closeOurs()
	}
	return p, err
}

// closeTheirs closes the keeper's ends. Closing a nil file is an error that nobody needs.
func (p *pipes) closeTheirs() {
	for _, f := range []*os.File{p.controlR, p.statusW, p.stdoutW, p.stderrW} {
		_ = f.Close()
	}
}

func (p *pipes) closeOurs() {
	for _, f := range []*os.File{p.controlW, p.statusR, p.stdoutR, p.stderrR} {
		_ = f.Close()
	}
}
