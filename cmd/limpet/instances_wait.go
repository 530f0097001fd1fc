package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

const (
	// drainPoll is how often --wait looks.
	drainPoll = 500 * time.Millisecond
	// drainPatience is how long --wait goes on without an answer: a replica that restarts is back by then.
	drainPatience = 10 * time.Second
)

var (
	errDrainsNoMore = errors.New("drains no more: it was undrained, or another program answers there")
	errNotWaited    = errors.New("stopped waiting; it drains on, see limpet instances list and undrain")
)

// drainWait shows an instance drain.
type drainWait struct {
	out      io.Writer
	json     bool // a document a line, one for each look
	terminal bool // out is one: each line takes the place of the one before
	last     drainedInstance
	shown    bool
}

func newDrainWait(cmd *cobra.Command, json bool) *drainWait {
	return &drainWait{out: cmd.OutOrStdout(), json: json, terminal: !json && isTerminal(cmd.OutOrStdout())}
}

// run shows what look sees, i first, until nothing is left: nil. An error is that it drains no more, that nobody has
// answered for drainPatience, or that ctx is done.
func (w *drainWait) run(ctx context.Context, i drainedInstance, look func(context.Context) (drainedInstance, error)) error {
	answered := time.Now()
	for {
		switch err := w.show(i); {
		case err != nil:
			return err
		case i.Drain == nil:
			return w.end(fmt.Errorf("instance %s, with %d sessions, %w", printable(i.ID), i.Sessions, errDrainsNoMore))
		case i.drained():
			return w.end(nil)
		}
		for looked := false; !looked; {
			if pause(ctx, drainPoll) != nil {
				return w.end(errNotWaited)
			}
			next, err := look(ctx)
			switch {
			case ctx.Err() != nil:
				return w.end(errNotWaited)
			case err == nil:
				i, answered, looked = next, time.Now(), true
			case time.Since(answered) > drainPatience || refusedForGood(err):
				return w.end(err)
			}
		}
	}
}

// drained says whether nothing is left: no session, and no request on the replica that is asked of a session that ended
// while it ran, unless the deadline has cut it.
func (i drainedInstance) drained() bool {
	return i.Sessions == 0 && (i.InFlight == 0 || i.Drain != nil && i.Drain.SecondsLeft == 0)
}

// refusedForGood says whether to ask again would get the same answer.
func refusedForGood(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.status < 500 && e.status != 429
}

// show writes what has changed: on a terminal each look.
func (w *drainWait) show(i drainedInstance) error {
	if w.json {
		return printJSON(w.out, i, true)
	}
	begin, end := "", "\n"
	if w.terminal {
		begin, end = "\r", clearLine
	} else if w.shown && i.sameNews(w.last) {
		return nil
	}
	w.last, w.shown = i, true
	_, err := fmt.Fprintf(w.out, "%sinstance %s of %s: %s, %s%s", begin, printable(i.ID), printable(i.Function), printable(i.State), i.progress(), end)
	return err
}

// sameNews says whether a line about i would say no more than the one about last.
func (i drainedInstance) sameNews(last drainedInstance) bool {
	return i.Sessions == last.Sessions && i.State == last.State && i.Drain.over() == last.Drain.over() && i.drained() == last.drained()
}

func (d *apiDrain) over() bool { return d != nil && d.SecondsLeft == 0 }

// progress is what is left, in words.
func (i drainedInstance) progress() string {
	text := fmt.Sprintf("%d sessions left", i.Sessions)
	if i.Sessions == 1 {
		text = "1 session left"
	}
	switch {
	case i.drained():
		return text + ", done"
	case i.Drain == nil:
		return text
	case i.Sessions == 0:
		return text + ", requests of sessions that ended still run"
	case i.Drain.over():
		return text + ", which leave: the deadline has passed"
	default:
		return text + ", which may stay for " + i.Drain.left()
	}
}

// end ends the line that a terminal is on.
func (w *drainWait) end(err error) error {
	if w.terminal {
		_, werr := io.WriteString(w.out, "\n")
		return errors.Join(err, werr)
	}
	return err
}
