package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/limpet-proxy/limpet/dialects"
)

// decode reads the JSON object of a body into the struct at into. No body is an empty object. Unknown fields are
// ignored: newer SDKs have more.
func (c *call) decode(into any) *dialects.Error {
	if len(c.body) == 0 {
		return nil
	}
	err := json.Unmarshal(c.body, into)
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return dialects.Invalid(mistyped.Field, fmt.Sprintf("is a %.40s, accepted is a %s", mistyped.Value, jsonType(mistyped)))
	default:
		return &dialects.Error{
			Code: dialects.CodeInvalidArgument, Status: http.StatusBadRequest, Reason: dialects.ReasonUnparsable,
			Message: "the body is no JSON object",
		}
	}
}

func jsonType(e *json.UnmarshalTypeError) string {
	switch kind := e.Type.Kind().String(); kind {
	case "int", "int64":
		return "whole number"
	case "bool":
		return "boolean"
	default:
		return kind
	}
}

// seconds reads a span of whole seconds within bounds; nil is none.
func seconds(field string, n *int64, bounds [2]time.Duration) (*time.Duration, *dialects.Error) {
	if n == nil {
		return nil, nil
	}
	low, high := int64(bounds[0]/time.Second), int64(bounds[1]/time.Second)
	if *n < low || *n > high {
		return nil, dialects.Invalid(field, fmt.Sprintf("is %d, accepted are %d to %d", *n, low, high))
	}
	d := time.Duration(*n) * time.Second
	return &d, nil
}

// inSeconds is a span in whole seconds, rounded up: a life of half a second is not none.
func inSeconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// pageSize bounds and defaults the size of a page.
type pageSize struct {
	field              string
	fallback, greatest int
}

// parse reads a page size out of a query; "" is the default.
func (p pageSize) parse(text string) (int, *dialects.Error) {
	if text == "" {
		return p.fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		n = 0
	}
	return p.check(n)
}

func (p pageSize) check(n int) (int, *dialects.Error) {
	if n < 1 || n > p.greatest {
		return 0, dialects.Invalid(p.field, fmt.Sprintf("accepted are 1 to %d", p.greatest))
	}
	return n, nil
}

// one returns the query's value of a parameter that may be given once; "" if it is not. A query of which net/url would
// leave something out is refused: a filter that nobody sees would not filter.
func (c *call) one(name string) (string, *dialects.Error) {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return "", dialects.Invalid("query", "has a semicolon or a bad escape, accepted is a percent-encoded query")
	}
	switch values := query[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", dialects.Invalid(name, "is given more than once, accepted is once")
	}
}
