package sessions

import (
	"fmt"
	"time"
)

const (
	// MinTTL is the shortest life, and the shortest idle time, that a session may be given: what stores resolve.
	MinTTL = time.Millisecond
	// MaxNameLen is the length in bytes of the longest name of a function, a qualifier or a deployment.
	MaxNameLen = 128
	// NameForm describes ValidName for messages.
	NameForm = "1 to 128 letters, digits, _ . and -, the first a letter, a digit or _"
)

// ValidName reports whether s can name a function, a qualifier or a deployment: [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}.
// Such a name needs no escaping in a URL's path, in a Redis key, a hash tag or a metric's label.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxNameLen || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if !nameByte(s[i]) {
			return false
		}
	}
	return true
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

// Validate calls report for everything that no function could work with. The rule that the idle timeout is not
// above the TTL is Function Compute's; that isolation means one session an instance, too.
func (c Config) Validate(report func(key, problem string)) {
	if c.TTL < MinTTL {
		report("ttl", fmt.Sprintf("%v is too short, accepted is %v or more", c.TTL, MinTTL))
	}
	switch {
	case c.IdleTimeout != 0 && c.IdleTimeout < MinTTL:
		report("idle_timeout", fmt.Sprintf("%v is too short, accepted is 0 for no idle limit, or %v or more", c.IdleTimeout, MinTTL))
	case c.TTL >= MinTTL && c.IdleTimeout > c.TTL:
		report("idle_timeout", fmt.Sprintf("%v is longer than the ttl, accepted is 0 or up to %v", c.IdleTimeout, c.TTL))
	}
	switch {
	case c.PerInstance < 1:
		report("per_instance", fmt.Sprintf("%d leaves no session a slot, accepted is 1 or more", c.PerInstance))
	case c.Isolation && c.PerInstance > 1:
		report("per_instance", fmt.Sprintf("%d contradicts isolation, accepted is 1, or to leave it out", c.PerInstance))
	}
}

// Validate reports a value that is neither rehome nor fail, under the empty key.
func (p LossPolicy) Validate(report func(key, problem string)) {
	if p != LossRehome && p != LossFail {
		report("", fmt.Sprintf("%q is no loss policy, accepted is rehome or fail", string(p)))
	}
}
