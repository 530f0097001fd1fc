package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"time"
)

// AccessLog writes one line for each request. The zero value writes none.
type AccessLog struct {
	Logger *slog.Logger // nil: off
	Sample float64      // the share of requests without an error that is logged
	Key    []byte       // of the session's hash, and shared by the replicas, so that their lines can be joined
}

// SessionHash names a session in a log without giving it away: in header mode the ID itself is a bearer secret. "" stays "".
func (l *AccessLog) SessionHash(id string) string {
	if id == "" {
		return ""
	}
	mac := hmac.New(sha256.New, l.Key)
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// write logs a finished exchange. Neither query nor headers are logged, for both carry secrets.
func (l *AccessLog) write(x *exchange, took time.Duration) {
	if l.Logger == nil || x.code == "" && l.Sample < 1 && rand.Float64() >= l.Sample {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", x.method),
		slog.String("path", x.path),
		slog.Int("status", x.status),
		slog.String("outcome", x.outcome().String()),
		slog.Float64("duration_ms", milliseconds(took)),
		slog.Float64("proxy_ms", milliseconds(x.proxyTime())),
		slog.Float64("instance_ms", milliseconds(x.instanceTime())),
		slog.String("client", x.client.peer),
		slog.String("request_id", x.requestID),
	}
	if x.fn != nil {
		attrs = append(attrs, slog.String("function", x.fn.Config.Name), slog.String("qualifier", x.fn.Config.Qualifier))
	}
	if x.inst != nil {
		attrs = append(attrs, slog.String("instance", x.inst.ID()))
	}
	if x.claim.ID != "" {
		attrs = append(attrs, slog.String("session", l.SessionHash(x.claim.ID)))
	}
	if x.code != "" {
		attrs = append(attrs, slog.String("error", string(x.code)))
	}
	l.Logger.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
