package configs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/configs"
)

func TestVariables(t *testing.T) {
	vars := variables(map[string]string{
		"NAME": "lab", "N": "7", "TTL": "90m", "YES": "true", "SHARE": "0.5", "SIZE": "16KiB", "PORT": "9001", "AGAIN": "${NAME}", "_x1": "x",
	})
	loaded, err := configs.Parse("f.yaml", []byte(`
deployment: ${NAME}-${_x1}
cache: {sessions: "${N}"}
limits:
  header_bytes: ${SIZE}
access_log: {enabled: "${YES}", sample: "${SHARE}"}
store: {path: "$${NAME}$$ $HOME ${AGAIN} $"}
functions:
  - name: >-
      ${NAME}
    sessions: {ttl: "${TTL}"}
    instances:
      static:
        - id: '${NAME}'
          url: http://127.0.0.1:${PORT}
`), vars)
	require.NoError(t, err)
	c, f := loaded.Config, loaded.Config.Functions[0]
	require.Equal(t, "lab-x", c.Deployment)
	require.Equal(t, 7, c.Cache.Sessions)
	require.EqualValues(t, 16<<10, c.Limits.HeaderBytes)
	require.True(t, c.AccessLog.Enabled)
	require.InDelta(t, 0.5, c.AccessLog.Sample, 0)
	require.Equal(t, "${NAME}$ $HOME ${NAME} $", c.Store.Path, "what a variable holds is not expanded again")
	require.Equal(t, "lab", f.Name)
	require.Equal(t, "1h30m0s", f.Sessions.TTL.String())
	require.Equal(t, "http://127.0.0.1:9001", f.Instances.Static[0].URL)
}

func TestVariablesCannotInject(t *testing.T) {
	vars := map[string]string{"EVIL": "x\nadmin: 0.0.0.0:9090", "COMMENT": "b # c", "BYTES": "\xff", "EMPTY": ""}
	require.Equal(t, []string{
		`1:13: deployment: "x\nadmin: 0.0.0.0:9090" cannot name a deployment, accepted are 1 to 128 letters, digits, _ . and -, the first a letter, a digit or _`,
		`2:19: cache.sessions: "" is not a whole number, accepted is a whole number`,
		`3:9: listen: the variable BYTES is not UTF-8, accepted is text`,
	}, lines(t, "deployment: ${EVIL}\ncache: {sessions: '${EMPTY}'}\nlisten: ${BYTES}\n"+one, vars))
	loaded, err := configs.Parse("f.yaml", []byte("store: {path: '${COMMENT}'}\n"+one), variables(vars))
	require.NoError(t, err)
	require.Equal(t, "b # c", loaded.Config.Store.Path)
}

func TestBadVariables(t *testing.T) {
	const form = "has a ${ that begins no variable, accepted is ${NAME} with letters, digits and _, or $${ for the text ${"
	check(t, []badFile{
		{"listen: ${NONE}\n" + one, "1:9: listen: the variable NONE is not set, accepted is a variable of the environment, or $${NONE} for the text ${NONE}"},
		{"listen: ${}\nadmin: ${1A}\ndeployment: ${A-b}\n" + one, "1:9: listen: " + form + "\n2:8: admin: " + form + "\n3:13: deployment: " + form},
		{"listen: ${A\n" + one, "1:9: listen: " + form},
		{"listen: $${A}\n" + one, `1:9: listen: "${A}" is no address to listen on, accepted is host:port such as 127.0.0.1:8080, or :8080 for every address; port 0 takes a free one`},
	})
}

// TestPortOfProcess looks for what is said of the command: the port of a process is Limpet's to choose, all else in
// it is the environment's, and PORT is the environment's everywhere else.
func TestPortOfProcess(t *testing.T) {
	const text = "functions:\n  - name: a\n    instances:\n      process:\n        command: [./a, \"${PORT}\", \"${OTHER}\"]\n"
	require.Equal(t, []string{"5:35: functions[0].instances.process.command[2]: the variable OTHER is not set, accepted is a variable of the environment, or $${OTHER} for the text ${OTHER}"},
		lines(t, text, nil))
	loaded, err := configs.Parse("f.yaml", []byte(text), variables(map[string]string{"OTHER": "x", "PORT": "80"}))
	require.NoError(t, err)
	require.Equal(t, []string{"./a", "${PORT}", "x"}, loaded.Config.Functions[0].Instances.Process.Command)
	require.Contains(t, roundTrip(t, loaded.Config), `command: [./a, "${PORT}", x]`)
}
