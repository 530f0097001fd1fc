package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const instancesTable = "FUNCTION QUALIFIER ID STATE SESSIONS IN-FLIGHT SINCE LEFT\n"

func TestTerminalListsInstances(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	require.Equal(t, instancesTable+
		"counter LATEST a ready 3/20 1 2m -\n"+
		"counter LATEST b unhealthy 0/20 0 - -\n"+
		"counter blue - none - - - -\n"+
		"plain LATEST - none - - - -\n"+
		"browser LATEST c draining 7/7 12 4d2h 3m20s\n", sheet(f.run(t, "instances", "list")))
	require.Equal(t, instancesTable+"counter LATEST a ready 3/20 1 2m -\ncounter LATEST b unhealthy 0/20 0 - -\n",
		sheet(f.run(t, "instances", "list", "counter", "--qualifier", "LATEST")))
	require.Equal(t, instancesTable+"counter blue - none - - - -\n", sheet(f.run(t, "instances", "list", "-q", "blue")))
	require.Equal(t, []string{"GET /limpet/v1/functions", "GET /limpet/v1/functions", "GET /limpet/v1/functions"}, f.requests())

	require.Contains(t, f.fail(t, "instances", "list", "nope"), "no function nope that this key may read")
	require.Contains(t, f.fail(t, "instances", "list", "browser", "-q", "blue"), "no function browser with qualifier blue")
	f.functions = `{"deployment":"limpet","farmId":"farm-0f","functions":[]}`
	require.Equal(t, instancesTable, sheet(f.run(t, "instances", "list")))
}

func TestTerminalListsInstancesWithDeadlineIDs(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	require.Equal(t, strings.TrimSuffix(instancesTable, "\n")+" FARM QUEUE JOB FLEET WORKER\n"+
		"counter LATEST a ready 3/20 1 2m - farm-0f queue-0a job-0b fleet-0c worker-0d\n"+
		"counter LATEST b unhealthy 0/20 0 - - farm-0f queue-0a job-0b fleet-0c worker-0e\n"+
		"counter blue - none - - - - farm-0f queue-0a job-1b fleet-1c -\n", sheet(f.run(t, "instances", "list", "counter", "-o", "wide")))
}

func TestTerminalPrintsInstancesAsJSON(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	require.JSONEq(t, twoFunctions, f.run(t, "instances", "list", "-o", "json"))
	require.JSONEq(t, `{"deployment":"limpet","farmId":"farm-0f","functions":[{"name":"counter","qualifier":"blue","affinity":"HEADER_FIELD",
		"queueId":"queue-0a","jobId":"job-1b","fleetId":"fleet-1c","instances":[]}]}`, f.run(t, "instances", "list", "-q", "blue", "-o", "json"))
}

func TestTerminalRefusesInstanceMisuse(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	for args, says := range map[string]string{
		"list -o yaml":        `--output: "yaml", accepted are table, wide and json`,
		"list --watch=-1s":    "--watch: -1s, accepted is 100ms or more",
		"list --watch 2s":     "--watch=2s",
		"list counter more":   "accepts at most 1 arg(s)",
		"destroy":             `unknown command "destroy", accepted are drain, list, undrain`,
		"list ..":             `".." is no function`,
		"list --admin=nohost": "--admin: neither a URL nor host:port",
	} {
		require.Contains(t, fails(t, append([]string{"instances"}, strings.Fields(args)...)...), says, args)
	}
	require.Contains(t, f.fail(t, "instances", "list", ""), `"" is no function`)
	require.Empty(t, f.requests())
}

func TestTerminalHelpHasAnExampleEach(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"sessions list", "sessions get", "sessions create", "sessions update", "sessions delete", "instances list",
	} {
		status, stdout, _ := here(t, append(strings.Fields(command), "--help")...)
		require.Zero(t, status)
		require.Contains(t, stdout, "Examples:\n  limpet "+command+" ")
		for _, said := range []string{"LIMPET_ADMIN", "LIMPET_KEY", "--timeout"} {
			require.Contains(t, stdout, said)
		}
	}
	for _, command := range []string{"sessions", "instances"} {
		status, stdout, stderr := here(t, command)
		require.Zero(t, status)
		require.Empty(t, stderr)
		require.Contains(t, stdout, "  list ")
	}
}
