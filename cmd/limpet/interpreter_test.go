package main_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// interpreterSetup is configs/code-interpreter.yaml on free ports. It needs python3, as make test does.
func interpreterSetup(t *testing.T) string {
	t.Helper()
	_, err := exec.LookPath("python3")
	require.NoError(t, err, "python3 is missing: .ci/need python3 python3 installs it")
	text, err := os.ReadFile(filepath.Join(root, "configs", "code-interpreter.yaml"))
	require.NoError(t, err)
	dir, err := filepath.Abs(filepath.Join(root, "configs", "interpreter"))
	require.NoError(t, err)
	changed := string(text)
	for old, fresh := range map[string]string{
		"listen: 127.0.0.1:8080": "listen: 127.0.0.1:0", "admin: 127.0.0.1:9090": "admin: 127.0.0.1:0\nshutdown: {delay: 0s}",
		"configs/interpreter/": dir + "/", "max: 16": "max: 6", "wait: 10s": "wait: 1m",
	} {
		require.Contains(t, changed, old)
		changed = strings.ReplaceAll(changed, old, fresh)
	}
	file := filepath.Join(t.TempDir(), "limpet.yaml")
	replace(t, file, changed)
	return file
}

// ran is what the interpreter answers.
type ran struct {
	Stdout, Stderr string
	Result, Error  *string
}

// execute runs code in a session.
func (p *process) execute(id, code string) (out ran) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.listen+"/execute", strings.NewReader(code))
	require.NoError(p.t, err)
	req.Header.Set(sampleHeader, id)
	r, err := do(newClient(), req)
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusOK, r.status, r)
	require.NoError(p.t, json.Unmarshal(r.body, &out))
	return out
}

func TestTheCodeInterpreterKeepsVariables(t *testing.T) {
	t.Parallel()
	p := serve(t, interpreterSetup(t))
	require.Nil(t, p.execute("alice", "x = 6").Result)
	require.Equal(t, "42", *p.execute("alice", "x * 7").Result)
	require.Contains(t, *p.execute("bob", "x").Error, "NameError", "another process")
	require.Equal(t, "hi\n", p.execute("bob", "import sys\nprint('hi')\nprint('no', file=sys.stderr)").Stdout)
	require.Contains(t, *p.execute("bob", "1/0").Error, "ZeroDivisionError")
	require.Contains(t, *p.execute("bob", "def").Error, "SyntaxError")
	require.Contains(t, *p.execute("bob", "raise SystemExit(3)").Error, "SystemExit: 3", "which ends nothing")
	require.NotEqual(t, *p.execute("alice", "import os; os.getpid()").Result, *p.execute("bob", "import os; os.getpid()").Result)
	env := *p.execute("alice", "sorted(os.environ)").Result
	require.NotContains(t, env, mainEnv, "Limpet's own environment is not the code's")
	require.Equal(t, "'6'", *p.execute("alice", "str(x)").Result)

	var pid int
	_, err := fmt.Sscan(*p.execute("alice", "os.getpid()").Result, &pid)
	require.NoError(t, err)
	require.NotZero(t, parent(pid))
	status, _, problem := run(t, "sessions", "delete", "python", "alice", "--admin", p.admin)
	require.Zero(t, status, problem)
	p.awaitGone([]int{pid})
	require.Contains(t, *p.execute("alice", "x").Error, "NameError", "a new session")
}

func TestTheCodeInterpreterServesManyAtOnce(t *testing.T) {
	t.Parallel()
	p := serve(t, interpreterSetup(t))
	var all sync.WaitGroup
	for n := range 20 { // more than there are processes
		all.Go(func() {
			id := fmt.Sprintf("s%d", n)
			p.execute(id, fmt.Sprintf("x = %d", n))
			if r := p.execute(id, "x"); r.Result == nil || *r.Result != fmt.Sprint(n) {
				t.Errorf("session %s has %v", id, r)
			}
			if status, _, problem := here(t, "sessions", "delete", "python", id, "--admin", p.admin); status != 0 {
				t.Error(problem)
			}
		})
	}
	all.Wait()
}

// TestTheCodeInterpreterSpeaksEventStreams decodes by the format's specification: a prelude of two lengths and their
// checksum, headers, a payload, and the checksum of all. sdktest has AWS's own decoder.
func TestTheCodeInterpreterSpeaksEventStreams(t *testing.T) {
	t.Parallel()
	p := serve(t, interpreterSetup(t))
	for _, c := range []struct{ code, text string }{{"x = 20", ""}, {"print(x + 1); x * 2", "21\n40\n"}} {
		body := fmt.Sprintf(`{"name": "executeCode", "arguments": {"language": "python", "code": %q}}`, c.code)
		req, err := http.NewRequest(http.MethodPost, p.listen+"/invoke", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set(sampleHeader, "alice")
		r, err := do(quick, req)
		require.NoError(t, err)
		require.Equal(t, "application/vnd.amazon.eventstream", r.header.Get("Content-Type"))
		m := r.body
		require.Equal(t, uint32(len(m)), binary.BigEndian.Uint32(m))
		require.Equal(t, crc32.ChecksumIEEE(m[:8]), binary.BigEndian.Uint32(m[8:]))
		require.Equal(t, crc32.ChecksumIEEE(m[:len(m)-4]), binary.BigEndian.Uint32(m[len(m)-4:]))
		payload := m[12+binary.BigEndian.Uint32(m[4:]) : len(m)-4]
		var result struct {
			Content []struct{ Type, Text string }
			IsError bool
		}
		require.NoError(t, json.Unmarshal(payload, &result))
		require.False(t, result.IsError)
		require.Equal(t, c.text, result.Content[0].Text)
	}
	for _, body := range []string{"", "{", "[]", `{"name": "rm"}`, `{"name": "executeCode", "arguments": 3}`, `{"name": "executeCode", "arguments": {"language": "perl"}}`} {
		req, err := http.NewRequest(http.MethodPost, p.listen+"/invoke", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set(sampleHeader, "alice")
		r, err := do(quick, req)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, r.status, body)
	}
	for path, status := range map[string]int{"/execute": http.StatusRequestEntityTooLarge, "/other": http.StatusNotFound} {
		body := "1"
		if path == "/execute" {
			body = strings.Repeat("#", 2<<20)
		}
		for range 5 {
			req, err := http.NewRequest(http.MethodPost, p.listen+path, strings.NewReader(body))
			require.NoError(t, err)
			req.Header.Set(sampleHeader, "alice")
			r, err := do(quick, req)
			require.NoError(t, err)
			require.Equal(t, status, r.status, path)
		}
	}
	require.Equal(t, "20", *p.execute("alice", "x").Result, "and nothing is lost by it")
}
