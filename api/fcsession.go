package api

import (
	"time"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// Function Compute's words for a session's state.
const (
	fcActive  = "Active"
	fcExpired = "Expired"
)

// fcSession is a session in Function Compute's words. Storage mounts have no meaning here and are left out.
type fcSession struct {
	SessionID                   string `json:"sessionId"`
	FunctionName                string `json:"functionName"`
	Qualifier                   string `json:"qualifier"`
	SessionAffinityType         string `json:"sessionAffinityType"`
	SessionTTLInSeconds         int64  `json:"sessionTTLInSeconds"`
	SessionIdleTimeoutInSeconds int64  `json:"sessionIdleTimeoutInSeconds"`
	DisableSessionIDReuse       bool   `json:"disableSessionIdReuse"`
	SessionStatus               string `json:"sessionStatus"`
	ContainerID                 string `json:"containerId"`
	CreatedTime                 string `json:"createdTime"`
	LastModifiedTime            string `json:"lastModifiedTime"`
}

func toFC(s sessions.Session) fcSession {
	status := fcActive
	if s.State != sessions.Active {
		status = fcExpired
	}
	return fcSession{
		SessionID: s.ID, FunctionName: s.Function, Qualifier: s.Qualifier, SessionAffinityType: string(s.Affinity),
		SessionTTLInSeconds: inSeconds(s.TTL), SessionIdleTimeoutInSeconds: inSeconds(min(s.IdleTimeout, s.TTL)),
		DisableSessionIDReuse: s.DisableIDReuse, SessionStatus: status, ContainerID: s.Home.ID,
		CreatedTime: fcTime(s.CreatedAt), LastModifiedTime: fcTime(s.ModifiedAt),
	}
}

// fcTime is RFC 3339 in whole seconds, as the vendor's samples have it.
func fcTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// fcSettings are the fields of CreateSessionInput and UpdateSessionInput that Limpet knows.
type fcSettings struct {
	SessionID                   string `json:"sessionId"` // CreateSession only
	SessionTTLInSeconds         *int64 `json:"sessionTTLInSeconds"`
	SessionIdleTimeoutInSeconds *int64 `json:"sessionIdleTimeoutInSeconds"`
	DisableSessionIDReuse       *bool  `json:"disableSessionIdReuse"`
}

// changes reads the settings that a body names, over those that hold without it. The vendor's rule, idle at most TTL, is
// for what a body says. An idle timeout that it does not name stays, for a TTL that is made longer again.
func (c *call) changes(in fcSettings, held sessions.Settings) (u sessions.UpdateRequest, err *dialects.Error) {
	ceiling := c.MaxTTL.FC
	if u.TTL, err = seconds("sessionTTLInSeconds", in.SessionTTLInSeconds, [2]time.Duration{time.Second, ceiling}); err != nil {
		return u, err
	}
	if u.IdleTimeout, err = seconds("sessionIdleTimeoutInSeconds", in.SessionIdleTimeoutInSeconds, [2]time.Duration{0, ceiling}); err != nil {
		return u, err
	}
	u.DisableIDReuse = in.DisableSessionIDReuse
	ttl := held.TTL
	if u.TTL != nil {
		ttl = *u.TTL
	}
	if u.IdleTimeout != nil && *u.IdleTimeout > ttl {
		return u, dialects.Invalid("sessionIdleTimeoutInSeconds", "is longer than the session's TTL, accepted is up to that")
	}
	return u, nil
}
