package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// plainProgram returns the command without the race detector, as a user has it. It is for processes that are many, or that
// carry much, and whose races other tests look for in fewer of them: the race detector would make those tests take minutes.
func plainProgram(t testing.TB) string {
	t.Helper()
	program, err := plain.build()
	require.NoError(t, err)
	return program
}

// servePlain is serve with it.
func servePlain(t testing.TB, file string) *process {
	t.Helper()
	p := startProgram(t, plainProgram(t), "serve", "-c", file)
	p.awaitServing()
	p.awaitReady()
	return p
}

// plain is built once, by the first test that asks.
var plain plainBuild

type plainBuild struct {
	once    sync.Once
	dir     string
	program string
	err     error
}

// build compiles with the flags of make lint, so that a cold machine does not compile everything another time.
func (b *plainBuild) build() (string, error) {
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "limpet-plain-"); b.err != nil {
			return
		}
		b.program = filepath.Join(b.dir, "limpet")
		build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", b.program, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := build.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("%w: %s", err, said)
		}
	})
	return b.program, b.err
}

// remove is for the end of all tests.
func (b *plainBuild) remove() error {
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}
