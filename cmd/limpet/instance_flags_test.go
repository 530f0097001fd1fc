package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnInstanceSaysWhatAFlagAccepts(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--listen nowhere":              `--listen: listen tcp: address nowhere: missing port in address`,
		"--name=":                       `--name: "", accepted is 1 to 128 characters of visible ASCII`,
		"--start a\nb":                  `--start: "a\nb", accepted is 1 to 128 characters of visible ASCII`,
		"--header a:b":                  `--header: "a:b", accepted is a name of letters, digits and - or _`,
		"--cookie a;b":                  `--cookie: "a;b", accepted is a name of letters, digits and - or _`,
		"--give-cookie":                 `--give-cookie: needs the name of the cookie, --cookie NAME`,
		"--give-cookie=x":               `--give-cookie: "x", accepted is true or false`,
		"--max-sessions 0":              `--max-sessions: "0", accepted is 1 or more`,
		"--max-sessions x":              `--max-sessions: "x", accepted is a whole number`,
		"--sleep -1s":                   `--sleep: "-1s", accepted is 0s or more`,
		"--sleep 1":                     `--sleep: "1", accepted is a duration such as 250ms`,
		"--interval -1s":                `--interval: "-1s", accepted is 0s or more`,
		"--status 199":                  `--status: "199", accepted is 200 to 599`,
		"--status 600":                  `--status: "600", accepted is 200 to 599`,
		"--stream -1":                   `--stream: "-1", accepted is 0 to 1000000`,
		"--stream 1000001":              `--stream: "1000001", accepted is 0 to 1000000`,
		"--fail x":                      `--fail: "x", accepted is head or body`,
		"--fail head --fail-share 1.1":  `--fail-share: "1.1", accepted is 0 to 1`,
		"--fail head --fail-share NaN":  `--fail-share: "NaN", accepted is 0 to 1`,
		"--fail-share x":                `--fail-share: "x", accepted is a number from 0 to 1`,
		"--fail-share 0.5":              `--fail-share: of what? Give --fail, or a --status of 400 or more, too`,
		"--grow x":                      `--grow: "x" is not a size, accepted is a number with B, KiB, MiB or GiB, such as 32KiB`,
		"--grow 1023":                   `--grow: "1023B", accepted is 0, or 1KiB to --max-memory (256MiB)`,
		"--grow 2KiB --max-memory 1KiB": `--grow: "2KiB", accepted is 0, or 1KiB to --max-memory (1KiB)`,
		"--max-memory 0":                `--max-memory: "0B", accepted is 1B or more`,
		"surplus":                       `unexpected "surplus": limpet instance takes flags only; limpet instances, with an s, lists those of limpet serve`,
	} {
		status, stdout, stderr := run(t, append([]string{"instance"}, strings.Split(args, " ")...)...)
		require.Equal(t, 1, status, args)
		require.Empty(t, stdout, args)
		require.Equal(t, "limpet: "+want+"\n", stderr, args)
	}
}

func TestInstanceAndInstancesKnowEachOther(t *testing.T) {
	t.Parallel()
	const lists = "; limpet instances has it: List and drain the instances of a running limpet serve\n"
	const runs = "; limpet instance has it: Run a sample stateful instance, to try or test any proxy with\n"
	for args, want := range map[string]string{
		"instance --admin x":      "unknown flag: --admin" + lists,
		"instance -o json":        "unknown shorthand flag: 'o' in -o" + lists,
		"instances --name a":      "unknown flag: --name" + runs,
		"instances list --name a": "unknown flag: --name" + runs,
		"instance --nonsense":     "unknown flag: --nonsense\n",
		"instances --nonsense":    "unknown flag: --nonsense\n",
	} {
		status, stdout, stderr := run(t, strings.Split(args, " ")...)
		require.Equal(t, 1, status, args)
		require.Empty(t, stdout, args)
		require.Equal(t, "limpet: "+want, stderr, args)
	}
}

// The help text is the reference of what a query may ask for.
func TestTheHelpOfInstanceTellsEveryParameter(t *testing.T) {
	t.Parallel()
	status, stdout, _ := run(t, "instance", "--help")
	require.Zero(t, status)
	for _, parameter := range []string{"sleep=", "status=", "fail=head", "fail=body", "stream=", "interval=", "grow="} {
		require.Contains(t, stdout, "\n  "+parameter)
	}
	for _, flag := range []string{
		"listen", "name", "start", "header", "cookie", "give-cookie", "max-sessions", "sleep", "status", "stream", "interval", "fail",
		"fail-share", "grow", "max-memory",
	} {
		require.Contains(t, stdout, "\n      --"+flag+" ")
	}
}
