package affinity_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

func TestParseKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		want string // error; "" for none
	}{
		"one":                    {secretA, ""},
		"one with line end":      {secretA + "\r\n", ""},
		"comments, blank lines":  {"# signing\n\n  \t\n" + secretA + "\n # older\n" + secretB + "\n", ""},
		"a hash inside":          {secretA + "#1", ""},
		"32 characters":          {strings.Repeat("k", 32), ""},
		"31 characters":          {strings.Repeat("k", 31), "line 1: 31 bytes, accepted are 32 or more"},
		"nothing":                {"", "no key"},
		"only comments":          {"# a\n\n#b", "no key"},
		"the same twice":         {secretA + "\n# x\n" + secretA, "line 3: given twice"},
		"the same but for space": {secretA + "\n  " + secretA + " \n", "line 2: given twice"},
		"a comment behind":       {secretA + " # new", "line 1: a blank"},
		"binary":                 {secretA + "\x00", "line 1: a blank"},
		"byte order mark":        {"\ufeff" + secretA, "line 1: a blank"},
		"one good, one short":    {secretA + "\nshort", "line 2: 5 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := affinity.ParseKeys([]byte(tc.file))
			if tc.want == "" {
				require.NoError(t, err)
				require.NotNil(t, keys)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.Nil(t, keys)
			require.NotContains(t, err.Error(), secretA)
		})
	}
}

func TestNewKeys(t *testing.T) {
	secret := []byte(secretA)
	keys, err := affinity.NewKeys(secret, []byte(secretB))
	require.NoError(t, err)
	clear(secret)
	value := issueValue(t, cookieRule(t, affinity.Scope{Function: "counter", Keys: keys}), "id")
	parsed := cookieRule(t, scope(t, secretA))
	require.Equal(t, "id", extract(t, parsed, "limpet-session="+value).ID, "the secret is copied, the first signs")

	_, err = affinity.NewKeys()
	require.ErrorContains(t, err, "no key")
	_, err = affinity.NewKeys([]byte(secretA), []byte(secretA))
	require.ErrorContains(t, err, "key 2: given twice")
	_, err = affinity.NewKeys(make([]byte, 31))
	require.ErrorContains(t, err, "key 1: 31 bytes")
	_, err = affinity.NewKeys(bytes.Repeat([]byte{0, '\n'}, 16))
	require.NoError(t, err, "any 32 bytes are a key, as a store's secret is")
}

func TestLoadKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	_, err := affinity.LoadKeys(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("x\n"), 0o600))
	_, err = affinity.LoadKeys(path)
	require.ErrorContains(t, err, path+": line 1: 1 bytes")
	require.NoError(t, os.WriteFile(path, []byte(secretA+"\n"), 0o600))
	keys, err := affinity.LoadKeys(path)
	require.NoError(t, err)
	require.Equal(t, "signing keys: 1", keys.String())
}

func TestKeysNeverShowThemselves(t *testing.T) {
	keys := newKeys(t, secretA, secretB)
	scope := affinity.Scope{Function: "f", Keys: keys}
	for _, shown := range []string{
		fmt.Sprint(keys), fmt.Sprintf("%+v", keys), fmt.Sprintf("%#v", keys), fmt.Sprintf("%+v", scope),
		issueValue(t, cookieRule(t, scope), "id"),
	} {
		require.NotContains(t, shown, "an-example")
		require.NotContains(t, shown, fmt.Sprintf("%x", "an-example"))
		require.NotContains(t, shown, fmt.Sprint([]byte("an-example"))[1:20])
	}
	var none *affinity.Keys
	require.Equal(t, "signing keys: 0", none.String())
}
