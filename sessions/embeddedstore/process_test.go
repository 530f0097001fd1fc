package embeddedstore_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// The tests of this file need other processes: this test binary, told by its environment to be one.
const (
	roleEnv = "EMBEDDEDSTORE_TEST_ROLE"
	dirEnv  = "EMBEDDEDSTORE_TEST_DIR"
	seedEnv = "EMBEDDEDSTORE_TEST_SEED"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "load":
		load(os.Getenv(dirEnv), os.Getenv(seedEnv))
	case "open":
		fmt.Println(openError(os.Getenv(dirEnv)))
	}
}

// child returns a command that runs this test binary in a role.
func child(t *testing.T, role, dir, seed string) *exec.Cmd {
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", roleEnv+"="+role, dirEnv+"="+dir, seedEnv+"="+seed)
	cmd.Stderr = os.Stderr
	return cmd
}

// load pins, binds, re-homes and ends sessions from many goroutines until it is killed, and prints a line for each
// acknowledged step. A line is one write: what the parent reads of it is whole.
func load(dir, seed string) {
	s, err := embeddedstore.Open(embeddedstore.Config{Path: dir})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	s.SetMinLog(8 << 10) // several snapshots a round
	for worker := range 8 {
		go func() {
			for i := 0; ; i++ {
				step(s, fmt.Sprintf("%s-%d-%d", seed, worker, i), i)
			}
		}()
	}
	select {}
}

// begin makes a session; of each four one is bound, and a reservation beside it is given back.
func begin(ctx context.Context, s *embeddedstore.Store, id string, i int) (sessions.Session, error) {
	r := request(id)
	if i%4 != 3 {
		got, _, err := s.Pin(ctx, r)
		return got, err
	}
	var held [2]sessions.Session
	for n := range held {
		var err error
		r.Key, r.Mode = sessions.ReservedKey(fn, "LATEST"), sessions.Create
		if held[n], _, err = s.Pin(ctx, r); err != nil {
			return sessions.Session{}, err
		}
	}
	if _, err := s.End(ctx, held[0], false); err != nil {
		return sessions.Session{}, err
	}
	got, _, err := s.Bind(ctx, sessions.BindRequest{Reservation: held[1], ID: id, Settings: r.Settings})
	return got, err
}

func step(s *embeddedstore.Store, id string, i int) {
	ctx := context.Background()
	got, err := begin(ctx, s, id, i)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("has", id, got.Epoch, got.Home.ID)
	switch i % 4 {
	case 0:
		fmt.Println("ends", id)
		if _, err := s.End(ctx, got, i%8 == 0); err == nil {
			fmt.Println("ended", id)
		}
	case 1:
		fmt.Println("moves", id)
		got, err = s.Rehome(ctx, sessions.RehomeRequest{Session: got, Certain: true, Placement: request("").Placement})
		if err == nil {
			fmt.Println("has", id, got.Epoch, got.Home.ID)
		}
	case 2:
		_, _ = s.Touch(ctx, []sessions.Touch{{Key: got.Key, Epoch: got.Epoch}})
		if _, err := s.Update(ctx, update(got.Key, 2*time.Hour)); err == nil {
			fmt.Println("updated", id)
		}
	}
}

// acknowledged is what a killed process had said of one session.
type acknowledged struct {
	epoch         uint64
	home          string
	moving        bool // was asked for, not acknowledged: either is right
	ending, ended bool
	updated       bool
}

func (a *acknowledged) hear(t *testing.T, verb string, rest []string) {
	switch verb {
	case "has":
		_, err := fmt.Sscan(rest[0]+" "+rest[1], &a.epoch, &a.home)
		require.NoError(t, err)
		a.moving = false
	case "moves":
		a.moving = true
	case "updated":
		a.updated = true
	case "ends":
		a.ending = true
	case "ended":
		a.ended = true
	default:
		require.Fail(t, "child: "+verb+" "+strings.Join(rest, " "))
	}
}

// killed runs a loaded store in a process of its own and kills it at a random moment.
func killed(t *testing.T, dir, seed string, known map[string]*acknowledged) {
	cmd := child(t, "load", dir, seed)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	var timer *time.Timer
	for lines.Scan() {
		if timer == nil { // it is up and under load
			timer = time.AfterFunc(time.Duration(rand.IntN(150))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		}
		words := strings.Fields(lines.Text())
		a := known[words[1]]
		if a == nil {
			a = &acknowledged{}
			known[words[1]] = a
		}
		a.hear(t, words[0], words[2:])
	}
	require.Error(t, cmd.Wait())
	require.NotNil(t, timer, "the child said nothing")
}

// TestKill9 kills a process under load 20 times, each time on the directory that the one before left, and looks
// for every session that any of them acknowledged.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	known := map[string]*acknowledged{}
	first := 0
	for round := range 20 {
		killed(t, dir, fmt.Sprint(round), known)
		if round == 0 {
			first = len(known)
		}
		s, err := embeddedstore.Open(embeddedstore.Config{Path: dir})
		require.NoError(t, err)
		active := map[string]sessions.Session{}
		for _, got := range list(t, s, sessions.Active) {
			active[got.ID] = got
		}
		require.NoError(t, s.Close())
		for id, a := range known {
			a.check(t, id, active)
		}
	}
	require.NotZero(t, first)
	require.Greater(t, generation(t, dir), 2, "snapshots were not part of it")
	t.Logf("%d acknowledged sessions, none lost; generation %d", len(known), generation(t, dir))
}

func (a *acknowledged) check(t *testing.T, id string, active map[string]sessions.Session) {
	got, ok := active[id]
	switch {
	case a.ended:
		require.False(t, ok, "%s was ended", id)
	case !ok:
		require.True(t, a.ending, "%s was acknowledged and is lost", id)
		a.ended = true // for good, from here on
	case a.moving && got.Epoch == a.epoch+1:
		a.epoch, a.home, a.moving = got.Epoch, got.Home.ID, false
	default:
		require.Equal(t, a.epoch, got.Epoch, "%s", id)
		require.Equal(t, a.home, got.Home.ID, "%s", id)
		require.True(t, !a.updated || got.TTL == 2*time.Hour, "the update of %s is lost", id)
	}
}

// TestSecondProcess: the directory belongs to one process at a time, and the other is told which directory.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	out, err := child(t, "open", dir, "").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "directory "+dir+": in use by another process")
	require.ErrorContains(t, openError(dir), "in use", "the same process is no better")
	require.NoError(t, s.Close())
	out, err = child(t, "open", dir, "").Output()
	require.NoError(t, err)
	require.Equal(t, "<nil>\n", string(out))
}
