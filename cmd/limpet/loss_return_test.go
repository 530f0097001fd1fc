package main_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAHomeThatReturnsWithinTheGrace: with on_instance_loss: fail a session waits for its home. Who returns with the same
// start nonce says that the state is still there, and is believed; another nonce is another program, and its sessions end at
// once and begin anew, told.
func TestAHomeThatReturnsWithinTheGrace(t *testing.T) {
	for name, nonce := range map[string]string{"as it was": "same", "as another program": "other"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := freeAddr(t)
			before := startSample(t, "--name", "i0", "--listen", addr, "--start", "same")
			replicas, _ := onRedis(t, 2, function{
				more:      "    on_instance_loss: fail\n    loss_grace: 1h",
				instances: samples(t, 2)[1:], programs: []*sampleProgram{before},
			})
			all := ids("s", 20)
			first := fire(t, replicas, all, never)
			before.kill()
			for id, got := range fire(t, replicas, all, broken).replies {
				for _, r := range got {
					if first.replies[id][0].Instance != "i0" {
						require.Equal(t, http.StatusOK, r.status, r)
						continue
					}
					require.Equal(t, "503 InstanceUnavailable", fmt.Sprint(r.status, " ", r.code()))
					require.Equal(t, "1", r.header.Get("Retry-After"))
				}
			}
			replicas[0].shows("i0", "unhealthy")
			replicas[1].shows("i0", "unhealthy")
			startSample(t, "--name", "i0", "--listen", addr, "--start", nonce)
			after, came := fire(t, replicas, all, away), 0
			for _, id := range all {
				was, epochWas, _ := first.one(t, id)
				home, epoch, event := after.one(t, id)
				switch {
				case was != "i0" || nonce == "same":
					require.Equal(t, []any{was, epochWas, ""}, []any{home, epoch, event}, id)
				default:
					require.Greater(t, epoch, epochWas, id)
					require.Equal(t, "created", event, id)
				}
				if was == "i0" {
					came++
				}
			}
			require.Greater(t, came, 3)
		})
	}
}
