package load

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

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
	o.From = shortened(o.From)
	o.Event = r.Header.Get(w.event)
	if epoch, err := strconv.ParseUint(r.Header.Get(w.epoch), 10, 64); err == nil { // one that is no number is no epoch
		o.Epoch = epoch
	}
	if w.count.IsZero() {
		return o, nil
	}
	text, err := w.count.find(r)
	if err != nil {
		return o, err
	}
	if o.Count, err = strconv.ParseUint(text, 10, 64); err != nil {
		o.Count = 0
		return o, fmt.Errorf("%w: %s is %.40q, accepted is a count: %w", errMissing, w.count, text, errors.Unwrap(err))
	}
	o.Counted = true
	return o, nil
}

// shortened returns a name of at most MaxName bytes of UTF-8. Two names stay two: a misroute between them would not show.
func shortened(name string) string {
	if len(name) <= MaxName && utf8.ValidString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	hash := fmt.Sprintf("~%x", sum[:8])
	return strings.ToValidUTF8(name[:min(len(name), MaxName-len(hash))], "?") + hash
}

// keepBody is how much of a response's body observe needs.
func (w witness) keepBody() int {
	if w.from.needsBody() || w.count.needsBody() {
		return MaxJudgedBody
	}
	return 0
}
