package api

import (
	"math"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/limpet-proxy/limpet/dialects"
)

// newLimiter allows perSecond calls a second, and as many at once as a second has; nil allows all.
func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(math.Ceil(perSecond))))
}

// limit takes one call from the key's rate. It is this replica's count.
func (c Caller) limit() *dialects.Error {
	if c.limiter == nil {
		return nil
	}
	now := time.Now()
	r := c.limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	r.CancelAt(now)
	return &dialects.Error{
		Code: dialects.CodeThrottling, Status: http.StatusTooManyRequests, Message: "this key's rate is used up",
		RetryAfter: int(math.Ceil(wait.Seconds())),
	}
}
