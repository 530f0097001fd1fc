package instances

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Statuses are the response statuses from First to Last, written as 204 or 200-299. The zero Statuses are none.
type Statuses struct{ First, Last int }

// DefaultHealthStatus returns the statuses of a healthy answer where the configuration names none: 2xx.
func DefaultHealthStatus() Statuses { return Statuses{http.StatusOK, 299} }

// AcceptedStatuses describes the text of Statuses for messages.
const AcceptedStatuses = "a status such as 200, or a range such as 200-299, within 200-599"

// UnmarshalText reads "204" or "200-299".
func (s *Statuses) UnmarshalText(text []byte) error {
	from, to, isRange := strings.Cut(string(text), "-")
	if !isRange {
		to = from
	}
	first, err := parseStatus(from)
	last, err2 := parseStatus(to)
	if err != nil || err2 != nil || first > last {
		return fmt.Errorf("%.40q is no status, accepted is %s", text, AcceptedStatuses)
	}
	*s = Statuses{first, last}
	return nil
}

func parseStatus(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || len(text) != 3 || n < 200 || n > 599 { // a 1xx is no answer
		return 0, strconv.ErrRange
	}
	return n, nil
}

// MarshalText writes what UnmarshalText reads.
func (s Statuses) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the text that MarshalText writes.
func (s Statuses) String() string {
	if s.First == s.Last {
		return strconv.Itoa(s.First)
	}
	return fmt.Sprintf("%d-%d", s.First, s.Last)
}

func (s Statuses) has(status int) bool { return s.First <= status && status <= s.Last }
