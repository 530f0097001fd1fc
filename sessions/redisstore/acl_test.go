package redisstore_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// aclLine finds the ACL line in the package comment, so that what operators copy is what the tests run with.
func aclLine(source, password string) string {
	for line := range strings.Lines(source) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "//\tuser limpet "); ok {
			return "user limpet " + strings.ReplaceAll(text, ">PASSWORD", ">"+password)
		}
	}
	return ""
}

func TestTheDocumentedUserCanDoNoMore(t *testing.T) {
	t.Parallel()
	s := secured.get(t)
	c := redis.NewClient(&redis.Options{Addr: s.config.Addrs[0], TLSConfig: s.options.TLS, Username: "limpet", Password: aclPassword})
	defer c.Close()
	require.NoError(t, c.Set(t.Context(), "limpet:k:mine", "x", 0).Err())
	for _, refused := range []error{
		c.Get(t.Context(), "others").Err(), c.FlushAll(t.Context()).Err(), c.ConfigGet(t.Context(), "*").Err(),
		c.Keys(t.Context(), "*").Err(), c.ACLList(t.Context()).Err(), c.Do(t.Context(), "SAVE").Err(),
	} {
		require.ErrorContains(t, refused, "NOPERM")
	}
}
