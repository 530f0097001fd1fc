package api

import (
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// awsTime is a date-time of AWS's restJson services: RFC 3339 with milliseconds.
func awsTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// updatedAt is when a session last changed; its end is a change.
func updatedAt(s sessions.Session) time.Time {
	if s.EndedAt.After(s.ModifiedAt) {
		return s.EndedAt
	}
	return s.ModifiedAt
}
