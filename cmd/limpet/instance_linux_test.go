package main_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// resident returns how many bytes of memory the system has given the process.
func (p *process) resident() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	m := regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`).FindSubmatch(status)
	require.NotNil(p.t, m, "%s", status)
	kib, err := strconv.Atoi(string(m[1]))
	require.NoError(p.t, err)
	return kib << 10
}

// Memory that a program only asks for is not given to it: what grows must have been written to.
func TestAnInstanceGrowsInMemory(t *testing.T) {
	t.Parallel()
	const size = 48 << 20
	p := startSample(t, "--grow", "48MiB")
	before := p.resident()
	for n := 1; n <= 2; n++ {
		require.Equal(t, http.StatusOK, p.ask("/", "alice").status)
		require.GreaterOrEqual(t, p.resident()-before, n*size)
	}
}
