package configs_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/configs"
)

// FuzzParse asks of any bytes: no panic, no hang, every problem on one line and in the file, problems in order, and
// a configuration that passes prints as one that passes.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"quickstart.yaml", "redis.yaml", "reference.yaml", "sidecar.yaml"} {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
	for _, seed := range []string{one, "", "a: [", "a: &a [*a]\n", "? a\n: b\n", "<<: {}\n", "a: !!x\n", "\ufeff" + one, "a: ${A}\nb: $$", "a:\r\n- b\r- c", "- - -\n", "a: |\n  x\n", "a: >-\n", "'a", "listen: \"\\u0000\"\n", "{}: a\n", "[]: a\n", "*a : b\n", "&a a: b\n", "!t a: b\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		loaded, err := configs.Parse("f.yaml", data, variables(map[string]string{"A": "x"}))
		if err == nil {
			roundTrip(t, loaded.Config)
			return
		}
		var all *configs.Error
		require.True(t, errors.As(err, &all) && len(all.Problems) > 0)
		last := configs.Problem{}
		for _, p := range all.Problems {
			require.NotContains(t, p.String(), "\n")
			require.True(t, utf8.ValidString(p.String()) || !utf8.Valid(data), p.String())
			require.Positive(t, p.Column)
			require.LessOrEqual(t, p.Line, strings.Count(strings.ReplaceAll(string(data), "\r", "\n"), "\n")+1)
			require.False(t, p.Line < last.Line || p.Line == last.Line && p.Column < last.Column)
			last = p
		}
	})
}
