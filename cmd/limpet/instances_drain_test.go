package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// drainLooks makes the fake answer for one instance: each request gets the next look, and the last one again and again.
func (f *fakeAdmin) drainLooks(looks ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, looks[0])
		looks = looks[min(1, len(looks)-1):]
		return true
	}
}

// look is an instance with so many sessions and requests, which drains for so many seconds more; -1: it does not drain.
func look(sessions, inFlight, secondsLeft int) string {
	state, drain := "ready", ""
	if secondsLeft >= 0 {
		state, drain = "draining", fmt.Sprintf(`,"drain":{"since":"2031-04-01T11:58:00Z","deadline":"2031-04-01T12:08:00Z","secondsLeft":%d}`, secondsLeft)
	}
	return fmt.Sprintf(`{"function":"counter","qualifier":"LATEST","id":"a","state":%q,"sessions":%d,"inFlight":%d%s}`, state, sessions, inFlight, drain)
}

const drainTable = "FUNCTION QUALIFIER ID STATE SESSIONS IN-FLIGHT LEFT\n"

func TestTerminalDrains(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.drainLooks(look(3, 1, 600))
	require.Equal(t, drainTable+"counter LATEST a draining 3 1 10m\n", sheet(f.run(t, "instances", "drain", "counter", "a", "--deadline", "10m")))
	asked := f.lastAsked(t)
	require.Equal(t, [3]string{"PUT", "/limpet/v1/functions/counter/instances/a/drain", `{"deadline":"10m0s"}`}, [3]string{asked.method, asked.uri, asked.body})
	f.run(t, "instances", "drain", "counter", "a b", "-q", "blue")
	asked = f.lastAsked(t)
	require.Equal(t, [3]string{"PUT", "/limpet/v1/functions/counter/instances/a%20b/drain?qualifier=blue", ""}, [3]string{asked.method, asked.uri, asked.body})
	require.JSONEq(t, look(3, 1, 600), f.run(t, "instances", "drain", "counter", "a", "-o", "json"))
	f.drainLooks(look(3, 1, -1))
	require.Equal(t, drainTable+"counter LATEST a ready 3 1 -\n", sheet(f.run(t, "instances", "undrain", "counter", "a")))
	asked = f.lastAsked(t)
	require.Equal(t, [2]string{"DELETE", "/limpet/v1/functions/counter/instances/a/drain"}, [2]string{asked.method, asked.uri})
}

func TestTerminalWaitsForADrain(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.drainLooks(look(3, 1, 600), look(3, 0, 599), look(1, 1, 599), look(0, 1, 598), look(0, 0, 598))
	require.Equal(t, "instance a of counter: draining, 3 sessions left, which may stay for 10m\n"+
		"instance a of counter: draining, 1 session left, which may stay for 9m59s\n"+
		"instance a of counter: draining, 0 sessions left, requests of sessions that ended still run\n"+
		"instance a of counter: draining, 0 sessions left, done\n", f.run(t, "instances", "drain", "counter", "a", "--wait"),
		"a line for each change; a request of a session that ended is waited for")
	require.Len(t, f.requests(), 5)
	f.drainLooks(look(2, 2, 1), look(2, 2, 0), look(0, 1, 0))
	require.Equal(t, "instance a of counter: draining, 2 sessions left, which may stay for 1s\n"+
		"instance a of counter: draining, 2 sessions left, which leave: the deadline has passed\n"+
		"instance a of counter: draining, 0 sessions left, done\n", f.run(t, "instances", "drain", "counter", "a", "--wait"))
	f.drainLooks(look(1, 0, 9), look(0, 0, 8))
	lines := strings.Split(strings.TrimSpace(f.run(t, "instances", "drain", "counter", "a", "--wait", "-o", "json")), "\n")
	require.Len(t, lines, 2)
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

// waits runs drain --wait against the fake, which must fail, and returns what it said.
func (f *fakeAdmin) waits(t *testing.T) (problem string) {
	t.Helper()
	status, _, stderr := here(t, "instances", "drain", "counter", "a", "--wait", "--admin", f.URL)
	require.Equal(t, 1, status)
	require.Regexp(t, `^limpet: [^\n]+\n$`, stderr)
	return stderr
}

func TestTerminalWaitsForADrainInVain(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.drainLooks(look(3, 0, 600), look(2, 0, -1))
	require.Contains(t, f.waits(t), "instance a, with 2 sessions, drains no more: it was undrained, or another program answers there")
	f.mu.Lock()
	looks := 0
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		if looks++; looks == 1 {
			_, _ = io.WriteString(w, look(3, 0, 600))
		} else {
			refuse(w, 404, "NotFound", "there is no such instance")
		}
		return true
	}
	f.mu.Unlock()
	require.Contains(t, f.waits(t), "(404 NotFound, request 1-2-3)")
}

// A server that restarts is waited for, and one that is lost is not waited for for ever.
func TestTerminalLosesTheServerWhileItWaits(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.mu.Lock()
	looks := 0
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		switch looks++; looks {
		case 1:
			_, _ = io.WriteString(w, look(3, 0, 600))
		case 2, 3:
			refuse(w, 503, "StoreUnavailable", "the session table cannot answer")
		default:
			_, _ = io.WriteString(w, look(0, 0, 590))
		}
		return true
	}
	f.mu.Unlock()
	require.Contains(t, f.run(t, "instances", "drain", "counter", "a", "--wait"), "0 sessions left, done\n")
	f.mu.Lock()
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Connection", "close") // the next request dials
		_, _ = io.WriteString(w, look(3, 0, 600))
		_ = f.Listener.Close()
		return true
	}
	f.mu.Unlock()
	require.Contains(t, f.waits(t), "connection refused: is limpet serve running?")
}

func TestTerminalRefusesDrainMisuse(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	for args, says := range map[string]string{
		"drain counter":                   "accepts 2 arg(s)",
		"drain counter a b":               "accepts 2 arg(s)",
		"undrain counter":                 "accepts 2 arg(s)",
		"drain .. a":                      `".." is no function`,
		"drain counter .":                 `"." is no instance`,
		"drain counter a --deadline -1s":  "--deadline: -1s, accepted are 0s to 168h0m0s",
		"drain counter a --deadline 169h": "--deadline: 169h0m0s, accepted are 0s to 168h0m0s",
		"drain counter a --deadline soon": "invalid argument",
		"drain counter a -o yaml":         `--output: "yaml"`,
	} {
		require.Contains(t, f.fail(t, append([]string{"instances"}, strings.Fields(args)...)...), says, args)
	}
	require.Empty(t, f.requests(), "nothing was sent")
	f.drainLooks("{}")
	require.Contains(t, f.fail(t, "instances", "drain", "counter", "a"), "without an instance")
}

func TestTerminalDrainsAServerThatServes(t *testing.T) {
	t.Parallel()
	o := operate(t)
	require.Contains(t, o.refuses("reader", "instances", "drain", "counter", "i0"), "(403 AccessDenied")
	require.Contains(t, o.refuses("operator", "instances", "drain", "counter", "none"), "(404 NotFound")
	require.Contains(t, o.refuses("operator", "instances", "drain", "none", "i0"), "(404 FunctionNotFound")
	require.Contains(t, sheet(o.as("operator", "instances", "drain", "counter", "i0", "--wait")), "0 sessions left, done")
	require.Regexp(t, `counter LATEST i0 draining 0 0 (10m|9m59s)\n`, sheet(o.as("operator", "instances", "drain", "counter", "i0")), "the default")
	require.Contains(t, o.stderr.String(), `"operation":"DrainInstance"`)
	require.Regexp(t, `counter LATEST i0 ready 0 0 -\n`, sheet(o.as("operator", "instances", "undrain", "counter", "i0")))
}
