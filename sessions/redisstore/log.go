package redisstore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// clientLog takes what go-redis has to say, a line for every dial that fails, to the debug level: an outage is told
// once, by who watches the store, and not in a format of its own.
type clientLog struct{ logger *slog.Logger }

// Printf implements the client's logger.
func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	if l.logger.Enabled(ctx, slog.LevelDebug) {
		l.logger.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, v...))
	}
}

// logTo makes the client log to logger. The client has one logger for the whole process, so the last store that is
// opened with a logger gets the lines of all.
func logTo(logger *slog.Logger) { redis.SetLogger(clientLog{logger}) }
