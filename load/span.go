package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// ErrSpan means that a text is neither a duration nor a range of durations.
var ErrSpan = errors.New("not a span of time")

// Span is a duration, or a range from which each use draws one, all equally likely. The zero Span is no time.
type Span struct{ Least, Most time.Duration }

// ParseSpan reads a duration such as 1s, or a range such as 500ms..2s. ErrSpan.
func ParseSpan(text string) (Span, error) {
	least, most, ranged := strings.Cut(text, "..")
	if !ranged {
		most = least
	}
	var s Span
	var err, err2 error
	s.Least, err = time.ParseDuration(least)
	s.Most, err2 = time.ParseDuration(most)
	if err != nil || err2 != nil || s.Least < 0 || s.Most < s.Least {
		return Span{}, fmt.Errorf("%w: %.80q, accepted are a duration such as 1s and a range such as 500ms..2s", ErrSpan, text)
	}
	return s, nil
}

// String returns the text that ParseSpan reads.
func (s Span) String() string {
	if s.Least == s.Most {
		return s.Least.String()
	}
	return s.Least.String() + ".." + s.Most.String()
}

// IsZero says whether it is always no time.
func (s Span) IsZero() bool { return s.Most == 0 }

// valid says whether it is one that ParseSpan can have read.
func (s Span) valid() bool { return s.Least >= 0 && s.Most >= s.Least }

// draw returns one duration of the range.
func (s Span) draw() time.Duration {
	if s.Most == s.Least {
		return s.Least
	}
	return s.Least + time.Duration(rand.Uint64N(uint64(s.Most-s.Least)+1)) // unsigned: the longest range has one value more
}
