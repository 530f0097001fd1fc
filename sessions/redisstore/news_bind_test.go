package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// bind lets an instance name a new session.
func (r *replica) bind(t testing.TB, id string) sessions.Session {
	t.Helper()
	u, err := r.Reserve(t.Context())
	require.NoError(t, err)
	defer u.Release()
	require.NoError(t, u.Bind(t.Context(), id))
	return *u.Session()
}

// existing returns the session of the ID as this replica routes it.
func (r *replica) existing(t testing.TB, id string) (sessions.Session, error) {
	t.Helper()
	u, err := r.UseExisting(t.Context(), id)
	if err != nil {
		return sessions.Session{}, err
	}
	defer u.Release()
	return *u.Session(), nil
}

// TestOthersHearOfABind: whatever bytes its ID has. Where there was none the next look-up finds it, for that there is none
// is never remembered; where there was one, the news say that it is another.
func TestOthersHearOfABind(t *testing.T) {
	t.Parallel()
	for name, it := range map[string]topology{"standalone": standalone.get(t), "cluster": cluster.get(t)} {
		a, b := newReplica(t, it, own(t)+name), newReplica(t, it, own(t)+name)
		a.hears(t)
		b.hears(t)
		for _, id := range []string{"}:{a}/%\"\\<", strings.Repeat("~", 1024)} {
			_, err := b.existing(t, id)
			require.ErrorIs(t, err, sessions.ErrNotFound)
			was := a.bind(t, id)
			got, err := b.existing(t, id)
			require.NoError(t, err, "found at once")
			require.Equal(t, was.Epoch, got.Epoch)
			_, err = a.End(t.Context(), was, false)
			require.NoError(t, err)
			now := a.bind(t, id)
			require.Greater(t, now.Epoch, was.Epoch)
			for start := time.Now(); got.Epoch != now.Epoch; {
				require.Less(t, time.Since(start), recovery, "an entry routes to what is no more")
				got, err = b.existing(t, id)
				require.NoError(t, err)
			}
			asked := a.asked.Load()
			got, err = a.existing(t, id)
			require.NoError(t, err)
			require.Equal(t, now.Epoch, got.Epoch)
			require.LessOrEqual(t, a.asked.Load(), asked+1)
		}
	}
}
