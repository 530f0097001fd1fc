package load

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/limpet-proxy/limpet/load/proof"
	"github.com/limpet-proxy/limpet/load/wire"
)

const (
	// DefaultEvent and DefaultEpoch are the headers by which Limpet announces that a session was made or moved.
	DefaultEvent = "Limpet-Session-Event"
	DefaultEpoch = "Limpet-Session-Epoch"
)

// witness reads out of responses what the proof needs.
type witness struct {
	from, count  Source
	event, epoch string // canonical header names
}

// observe reads a response. It returns errMissing if the response does not show all that it should; what it does show
// is in the observation.
func (w witness) observe(r wire.Response) (o proof.Observation, err error) {
	if o.From, err = w.from.find(r); err != nil {
		return o, err
	}
	o.From = strings.ToValidUTF8(o.From[:min(len(o.From), MaxName)], "\uFFFD")
	o.Event = r.Header.Get(w.event)
	if text := r.Header.Get(w.epoch); text != "" {
		o.Epoch, _ = strconv.ParseUint(text, 10, 64) // one that is no number is no epoch
	}
	if w.count.IsZero() {
		return o, nil
	}
	text, err := w.count.find(r)
	if err != nil {
		return o, err
	}
	if o.Count, err = strconv.ParseUint(text, 10, 64); err != nil {
		return o, fmt.Errorf("%w: %s is %.40q, accepted is a count: %w", errMissing, w.count, text, errors.Unwrap(err))
	}
	o.Counted = true
	return o, nil
}

// keepBody is how much of a response's body observe needs.
func (w witness) keepBody() int {
	if w.from.needsBody() || w.count.needsBody() {
		return MaxJudgedBody
	}
	return 0
}
