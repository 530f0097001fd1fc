package proxy

import (
	"bytes"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipes runs a tunnel between net.Pipes, whose deadlines run on the bubble's clock, and returns the far ends and what
// the tunnel is over with. CloseWrite closes a pipe, for it has no half.
func pipes(t *testing.T, idle time.Duration) (client, instance net.Conn, x *exchange) {
	t.Helper()
	b, instance := net.Pipe()
	client, x = pipe(t, b, idle)
	return client, instance, x
}

// pipe is pipes with another connection to the instance.
func pipe(t *testing.T, b net.Conn, idle time.Duration) (client net.Conn, x *exchange) {
	t.Helper()
	h := NewHandler(nil, nil)
	x = &exchange{h: h, plane: &Plane{}, fn: &Function{}}
	h.inFlight.Add(1)
	a, client := net.Pipe()
	x.tunnel = &tunnel{
		x: x, client: newEnd(newIdleConn(a, idle), idle, nil, &h.chunks), instance: newEnd(newIdleConn(b, idle), idle, nil, &h.chunks),
	}
	x.tunnel.start()
	return client, x
}

// over waits until the tunnel has ended, and says how long that took.
func over(c net.Conn) time.Duration {
	begun := time.Now()
	io.Copy(io.Discard, c)
	return time.Since(begun)
}

func TestTunnelThatIsSilentIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, instance, x := pipes(t, time.Minute)
		require.Equal(t, time.Minute, over(client))
		require.Zero(t, over(instance))
		synctest.Wait()
		require.Zero(t, x.h.InFlight())
	})
}

// Whichever way the bytes go, the other may be silent for as long as it likes.
func TestTunnelThatMovesOneWayIsNotCut(t *testing.T) {
	for name, upwards := range map[string]bool{"push": false, "upload": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from, to, _ := pipes(t, time.Minute)
				if !upwards {
					from, to = to, from
				}
				go func() {
					for range 100 {
						time.Sleep(50 * time.Second)
						from.Write([]byte("tick"))
					}
				}()
				require.Equal(t, 100*50*time.Second+time.Minute, over(to), "cut only when it stopped")
			})
		})
	}
}

func TestTunnelWhosePeerTakesNothingIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, instance, _ := pipes(t, time.Minute)
		begun := time.Now()
		go instance.Write([]byte("push")) // the client never reads it, and goes on sending
		go io.Copy(io.Discard, instance)
		for err := error(nil); err == nil && time.Since(begun) < time.Hour; {
			time.Sleep(10 * time.Second)
			_, err = client.Write([]byte("ping"))
		}
		require.LessOrEqual(t, time.Since(begun), 2*time.Minute)
		require.NoError(t, client.Close())
		require.NoError(t, instance.Close())
	})
}

// What was read before a cut is delivered to who still takes it.
func TestTunnelThatIsCutDeliversWhatItHasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, instance, x := pipes(t, time.Minute)
		_, err := instance.Write([]byte("last words"))
		require.NoError(t, err)
		synctest.Wait()
		x.h.end(ErrShutdown)
		time.Sleep(stuckGrace / 2)
		got, err := io.ReadAll(client)
		require.NoError(t, err)
		require.Equal(t, "last words", string(got))
		synctest.Wait()
		require.Equal(t, errShuttingDown.Code, x.code)
		require.Zero(t, x.h.InFlight())
	})
}

func TestTunnelThatIsCutWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, instance, x := pipes(t, time.Hour)
		_, err := instance.Write([]byte("last words"))
		require.NoError(t, err)
		synctest.Wait()
		x.h.end(ErrShutdown)
		time.Sleep(stuckGrace)
		synctest.Wait()
		require.Zero(t, x.h.InFlight())
		require.NoError(t, client.Close())
	})
}

// goneConn is of a peer that has closed its connection: it takes nothing, and what it had sent is still to be read.
type goneConn struct{ net.Conn }

func (goneConn) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// What the client sends, the instance cannot have, and what the instance has sent the client still gets.
func TestTunnelDeliversWhatAGoneInstanceHasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, instance := net.Pipe()
		client, x := pipe(t, goneConn{b}, time.Minute)
		_, err := client.Write([]byte("ping"))
		require.NoError(t, err)
		synctest.Wait()
		go func() {
			for range 10 {
				time.Sleep(time.Second)
				instance.Write([]byte("data "))
			}
			instance.Close()
		}()
		got, err := io.ReadAll(client)
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("data ", 10), string(got))
		synctest.Wait()
		require.Zero(t, x.h.InFlight())
	})
}

// A connection that the kernel can be asked about holds no chunk while it is silent; any other holds a few bytes.
func TestEndHoldsNoChunkWhileItWaits(t *testing.T) {
	a, b := tcpPair(t)
	lender := &chunks{}
	e := newEnd(newIdleConn(a, time.Hour), time.Hour, nil, lender)
	require.NotNil(t, e.raw)
	waits := make(chan bool, 8)
	e.raw = waitWatch{e.raw, func() { waits <- e.chunk == nil }}
	for _, words := range []string{"some", "and some more"} {
		go func() {
			require.True(t, <-waits)
			b.Write([]byte(words))
		}()
		got, err := e.receive()
		require.NoError(t, err)
		require.Equal(t, words, string(got))
		e.giveBack()
	}
	require.NoError(t, b.Close())
	_, err := e.receive()
	require.ErrorIs(t, err, io.EOF)
	require.Nil(t, e.chunk)
}

// waitWatch is told when a read has to wait.
type waitWatch struct {
	syscall.RawConn
	waits func()
}

func (w waitWatch) Read(f func(fd uintptr) bool) error {
	return w.RawConn.Read(func(fd uintptr) bool {
		done := f(fd)
		if !done {
			w.waits()
		}
		return done
	})
}

func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	b, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	a, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// Where nothing tells of bytes but a read, a read waits: first with a small buffer, and with a chunk when there was more.
func TestEndThatCannotBeWaitedFor(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	e := newEnd(newIdleConn(a, time.Hour), time.Hour, []byte("early "), &chunks{})
	require.Nil(t, e.raw)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	go func() { b.Write(sent); b.Close() }()
	var got []byte
	for err := error(nil); err == nil; {
		var more []byte
		more, err = e.receive()
		got = append(got, more...)
		e.giveBack()
	}
	require.Equal(t, "early "+string(sent), string(got))
	require.Nil(t, e.chunk)
	require.Len(t, e.small, waitSize)
}
