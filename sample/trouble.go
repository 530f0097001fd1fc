package sample

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// MaxStream is how many events one request may ask for.
	MaxStream = 1_000_000
	// DefaultStreamInterval is the time between two events of a stream.
	DefaultStreamInterval = 100 * time.Millisecond
	// MinStatus and MaxStatus bound the statuses that a request may ask for: those that end an exchange.
	MinStatus, MaxStatus = 200, 599
	// MinGrow is the least that a request may grow its session by, in bytes: less would take more to note than it is.
	MinGrow = 1 << 10
)

// The values of Trouble.Fail, and of the query parameter fail.
const (
	FailHead = "head"
	FailBody = "body"
)

// Trouble is what a request meets beside being counted. The zero value is none.
type Trouble struct {
	Sleep    time.Duration // before the answer
	Status   int           // of the answer, MinStatus to MaxStatus; 0: 200
	Stream   int           // this many server-sent events, each an Answer; 0: one Answer as JSON
	Interval time.Duration // between two events; 0: DefaultStreamInterval, below 0: none
	Fail     string        // FailHead or FailBody: where the connection breaks off; "": nowhere
	Spare    float64       // which share of the requests, 0 to 1, Fail and a Status of 400 or more do not hit
	Grow     int64         // bytes kept for the request's session while it is remembered, from MinGrow on; 0: none
}

// withDefaults puts what they mean in the place of zero values; an Interval of 0 then is none.
func (t Trouble) withDefaults() Trouble {
	t.Status = cmp.Or(t.Status, http.StatusOK)
	t.Interval = max(cmp.Or(t.Interval, DefaultStreamInterval), 0)
	return t
}

// dice returns what one request meets.
func (t Trouble) dice() Trouble {
	if t.Spare > 0 && rand.Float64() < t.Spare {
		t.Fail = ""
		if t.Status >= http.StatusBadRequest {
			t.Status = http.StatusOK
		}
	}
	return t
}

// parseWish reads what the query asks for; def is what it meets where the query does not say. Parameters that it does
// not know are left to the caller's own use.
func parseWish(query string, def Trouble) (Trouble, error) {
	if query == "" {
		return def, nil
	}
	q, _ := url.ParseQuery(query) // what is ill-formed is the caller's own too, and is left out
	t := def
	if q.Has("fail") {
		t.Fail = q.Get("fail")
		if t.Fail != "" && t.Fail != FailHead && t.Fail != FailBody {
			return Trouble{}, fmt.Errorf("fail=%.40q, accepted is %s or %s", t.Fail, FailHead, FailBody)
		}
	}
	var err error
	if t.Sleep, err = duration(q, "sleep", def.Sleep); err != nil {
		return Trouble{}, err
	}
	if t.Interval, err = duration(q, "interval", def.Interval); err != nil {
		return Trouble{}, err
	}
	if t.Status, err = number(q, "status", bounds{MinStatus, MaxStatus, def.Status}); err != nil {
		return Trouble{}, err
	}
	if t.Stream, err = number(q, "stream", bounds{0, MaxStream, def.Stream}); err != nil {
		return Trouble{}, err
	}
	if t.Grow, err = growth(q, def.Grow); err != nil {
		return Trouble{}, err
	}
	return t, nil
}

func duration(q url.Values, name string, def time.Duration) (time.Duration, error) {
	if !q.Has(name) {
		return def, nil
	}
	d, err := time.ParseDuration(q.Get(name))
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s=%.40q, accepted is a duration such as 250ms", name, q.Get(name))
	}
	return d, nil
}

type bounds struct{ least, most, def int }

func number(q url.Values, name string, b bounds) (int, error) {
	if !q.Has(name) {
		return b.def, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < b.least || n > b.most {
		return 0, fmt.Errorf("%s=%.40q, accepted is %d to %d", name, q.Get(name), b.least, b.most)
	}
	return n, nil
}

// growth reads plain bytes, without a unit, so that there is one parser of units: the configuration's.
func growth(q url.Values, def int64) (int64, error) {
	if !q.Has("grow") {
		return def, nil
	}
	n, err := strconv.ParseInt(q.Get("grow"), 10, 64)
	if err != nil || n != 0 && (n < MinGrow || n > math.MaxInt) {
		return 0, fmt.Errorf("grow=%.40q, accepted is a number of bytes, from %d on, or 0", q.Get("grow"), MinGrow)
	}
	return n, nil
}
