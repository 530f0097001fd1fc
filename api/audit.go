package api

import (
	"log/slog"
	"net"

	"github.com/limpet-proxy/limpet/dialects"
)

// audit writes a line for a call that changes something, or tried to: who, what, whose, and how it went. The session is
// named by its hash, for its ID opens it.
func (c *call) audit(refusal *dialects.Error) {
	result := "ok"
	if refusal != nil {
		result = string(refusal.Code)
	}
	client := c.r.RemoteAddr
	if host, _, err := net.SplitHostPort(client); err == nil {
		client = host
	}
	attrs := []slog.Attr{
		slog.String("key", c.caller.ID), slog.String("dialect", c.dialect.String()), slog.String("operation", c.name),
		slog.String("function", c.function), slog.String("result", result), slog.String("client", client),
		slog.String("request_id", c.id),
	}
	if c.qualifier != "" {
		attrs = append(attrs, slog.String("qualifier", c.qualifier))
	}
	if c.instance != "" {
		attrs = append(attrs, slog.String("instance", c.instance))
	}
	if c.session != "" {
		attrs = append(attrs, slog.String("session", c.HashSession(c.session)))
	}
	c.Audit.LogAttrs(c.r.Context(), slog.LevelInfo, "audit", attrs...)
}
