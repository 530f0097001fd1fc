package signature

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

const (
	acs3Prefix  = "x-acs-"
	acs3Nonce   = "x-acs-signature-nonce"
	acs3Payload = "x-acs-content-sha256"
	acs3Date    = "x-acs-date"
	acs3Layout  = "2006-01-02T15:04:05Z"
)

// acs3 demands what makes a request unique and names its body; what else begins with x-acs- has to be signed if present.
func acs3() rules {
	return rules{
		prefix:   acs3Prefix,
		required: []string{"host", acs3Payload, acs3Date, acs3Nonce},
		date:     func(r *http.Request) (time.Time, error) { return exactTime(r, acs3Date, acs3Layout) },
		payload:  acs3Payload,
		value:    strings.TrimSpace,
		path:     acs3Path,
		query:    acs3Query,
		sign: func(_ Signed, secret []byte, canonical string) string {
			return hex.EncodeToString(mac(secret, string(ACS3)+"\n"+hash(canonical)))
		},
	}
}

// acs3Path spells the path as sent in one way. A + as it is would be signed like a space, which it is not in a path, so
// that somebody on the way could turn one into the other: SDKs send %20 or %2B.
func acs3Path(path string) (string, error) {
	if strings.Contains(path, "+") {
		return "", malformed("the path accepts no +, send %20 or %2B")
	}
	return strings.NewReplacer("*", "%2A", "%7E", "~").Replace(path), nil
}

// acs3Query escapes values and, as the vendor's SDKs do, leaves names alone: one with a = or & in it would be signed
// like several parameters. SDKs hold the parameters in a map, so none is there twice.
func acs3Query(all []parameter) (string, error) {
	seen := make(map[string]bool, len(all))
	for i, p := range all {
		if !isToken(p.name, isUnreserved) {
			return "", malformed("the query has a parameter with an ill-formed name")
		}
		if seen[p.name] {
			return "", malformed("the query has a repeated parameter")
		}
		seen[p.name] = true
		all[i].value = escape(p.value, "")
	}
	return join(all), nil
}

// exactTime accepts the layout to the byte; time.Parse would let fractions of a second through.
func exactTime(r *http.Request, name, layout string) (time.Time, error) {
	value := r.Header.Get(name)
	t, err := time.Parse(layout, value)
	if err != nil || t.Format(layout) != value {
		return time.Time{}, malformed(name + " accepts a time in UTC such as " + layout)
	}
	return t, nil
}
