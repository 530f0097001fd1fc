// Package redistest starts real Redis servers on free loopback ports for tests.
//
// Every topology has two constructors: one for a test, which fails it when the server cannot start and stops the
// server at its end (Standalone, NewSentinel, NewCluster), and one for TestMain, which returns an error and whose
// result must be closed (StartStandalone, StartSentinel, StartCluster). The servers die with the test binary, also
// when it is killed.
package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

const (
	// BinaryEnv names the environment variable that chooses the server program when Options.Binary is empty.
	BinaryEnv = "REDIS_SERVER"
	// DefaultBinary is looked for on PATH when neither Options.Binary nor BinaryEnv says otherwise.
	DefaultBinary = "redis-server"
	// StartTimeout is how long a topology may take until it answers.
	StartTimeout = 20 * time.Second

	pollInterval = 5 * time.Millisecond
	startTries   = 5
)

// ErrNoBinary means that the server program is not installed.
var ErrNoBinary = errors.New("no Redis server to test with: install the package redis-server (or valkey-server), " +
	"or set REDIS_SERVER to the program")

// Options describe a server. The zero value is a standalone server without persistence, TLS or users.
type Options struct {
	// Binary is the server program: a path or a name on PATH, such as valkey-server. If empty, the environment
	// variable REDIS_SERVER, else redis-server.
	Binary string
	// AOF keeps an append-only file, synced every second, so that a restarted server still has its data.
	AOF bool
	// TLS makes the server speak TLS only, with a certificate of its own authority: see Server.TLSConfig.
	TLS bool
	// Config are further lines of the configuration file, such as "maxmemory 10mb" or "user name on >secret ~* +@all".
	Config []string
}

func (o Options) binary() (string, error) {
	name := o.Binary
	if name == "" {
		name = os.Getenv(BinaryEnv)
	}
	if name == "" {
		name = DefaultBinary
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoBinary, err)
	}
	return path, nil
}

type closer interface{ Close() }

// forTest turns a constructor for TestMain into one for a test.
func forTest[T closer](t testing.TB, start func(Options) (T, error), o Options) T {
	t.Helper()
	s, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// until polls a condition until it holds, and returns its last error when it does not in time.
func until(condition func() error) error {
	deadline := time.Now().Add(StartTimeout)
	for {
		err := condition()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pollInterval)
	}
}
