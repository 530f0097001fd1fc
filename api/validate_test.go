package api_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
)

// TestValidateAgreesWithLoadKeys: what check accepts, serve can load.
func TestValidateAgreesWithLoadKeys(t *testing.T) {
	dir := t.TempDir()
	secret := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	one, two := secret("one", strings.Repeat("1", api.AdvisedSecret)+"\n"), secret("two", strings.Repeat("2", api.AdvisedSecret))
	same, short, empty := secret("same", strings.Repeat("1", api.AdvisedSecret)+"\r\n"), secret("short", "\n"), secret("empty", "")
	key := func(id, file string) api.KeyConfig {
		k := api.DefaultKeyConfig()
		k.ID, k.SecretFile = id, file
		return k
	}
	for name, c := range map[string]struct {
		keys []api.KeyConfig
		want []string
	}{
		"none":        {nil, nil},
		"two":         {[]api.KeyConfig{key("a", one), key("b", two)}, nil},
		"same secret": {[]api.KeyConfig{key("a", one), key("b", same)}, []string{"keys[1].secret_file"}},
		"short":       {[]api.KeyConfig{key("a", short)}, []string{"keys[0].secret_file"}},
		"empty":       {[]api.KeyConfig{key("a", empty)}, []string{"keys[0].secret_file"}},
		"missing":     {[]api.KeyConfig{key("a", filepath.Join(dir, "none"))}, []string{"keys[0].secret_file"}},
		"no file":     {[]api.KeyConfig{key("a", "")}, []string{"keys[0].secret_file"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := api.AuthConfig{Keys: c.keys}
			require.Equal(t, c.want, reported(cfg))
			_, err := api.LoadKeys(cfg)
			require.Equal(t, len(c.want) > 0, err != nil)
		})
	}
	k := key("a", one)
	k.Functions, k.Allow = nil, nil
	require.Equal(t, []string{"keys[0].functions", "keys[0].allow"}, reported(api.AuthConfig{Keys: []api.KeyConfig{k}}))
	k = key("a", one)
	k.Allow = []api.Verb{api.Read, "Write"}
	require.Equal(t, []string{"keys[0].allow[1]"}, reported(api.AuthConfig{Keys: []api.KeyConfig{k}}))
	require.Equal(t, []string{"keys[1].id"}, reported(api.AuthConfig{Keys: []api.KeyConfig{key("a", one), key("a", two)}}))
	for _, id := range []string{"", "a/b", "a,b", "a=b", "a b", "ü", strings.Repeat("x", 129)} {
		require.Equal(t, []string{"keys[0].id"}, reported(api.AuthConfig{Keys: []api.KeyConfig{key(id, one)}}), id)
	}
}

func reported(c api.AuthConfig) []string {
	var keys []string
	c.Validate(func(key, _ string) { keys = append(keys, key) })
	return keys
}
