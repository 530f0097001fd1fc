package configs_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/configs"
)

// roundTrip prints a configuration and requires that it reads back as the same.
func roundTrip(t *testing.T, c configs.Config) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, c.Print(&b))
	again, err := configs.Parse("printed.yaml", b.Bytes(), variables(nil))
	require.NoError(t, err, b.String())
	require.Equal(t, c, again.Config)
	return b.String()
}

func TestPrintReadsBack(t *testing.T) {
	for _, name := range []string{"canary.yaml", "code-interpreter.yaml", "mcp.yaml", "quickstart.yaml", "redis.yaml", "reference.yaml", "sidecar.yaml"} {
		roundTrip(t, example(t, name))
	}
	printed := roundTrip(t, parse(t, one))
	require.Contains(t, printed, "\n  header_bytes: 32KiB\n")
	require.Contains(t, printed, "\n      ttl: 6h\n")
	require.Contains(t, printed, "\n    upgrades: [websocket]\n")
}

func TestPrintShowsLoweredIdleTimeout(t *testing.T) {
	printed := roundTrip(t, parse(t, fn("sessions: {ttl: 90m}, upgrades: []")))
	require.Contains(t, printed, "\n      ttl: 1h30m\n      idle_timeout: 30m\n")
	printed = roundTrip(t, parse(t, fn("sessions: {ttl: 90s}, when_full: {wait: 1.5s}")))
	require.Contains(t, printed, "\n      ttl: 1m30s\n      idle_timeout: 1m30s\n")
}

// TestPrintQuotes has text that YAML or the expansion of variables would read as something else.
func TestPrintQuotes(t *testing.T) {
	for _, path := range []string{"true", "null", "~", "12", "0x1", "1e3", ".inf", "a: b", "a #b", " a", "a ", "${HOME}", "$${HOME}", "$", "$$", "*a", "&a", "!a", "- a", "[a]", "{a}", "\"", "'", "ü", "\u2028", "\ufeff", "a\nb", "\x1b", "%", "@", "`", "?", ":", "a:", "=", "<<", "yes"} {
		c := parse(t, one)
		c.Store.Path = path
		roundTrip(t, c)
	}
}

func TestPrintNamesSecretsOnly(t *testing.T) {
	secret := strings.Repeat("hush", api.AdvisedSecret)
	name := file(t, secret)
	c := parse(t, "auth: {keys: [{id: k, secret_file: "+name+"}]}\nstore: {kind: redis, redis: {password_file: "+name+"}}\n"+
		fn("affinity: {type: GENERATED_COOKIE, cookie: {keys_file: "+name+"}}"))
	printed := roundTrip(t, c)
	require.Equal(t, 3, strings.Count(printed, name))
	require.NotContains(t, printed, "hush")
}

func TestPrintReturnsTheWritersError(t *testing.T) {
	broken := errors.New("disk full")
	require.ErrorIs(t, configs.Default().Print(failing{broken}), broken)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
