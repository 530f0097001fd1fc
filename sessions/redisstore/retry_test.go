package redisstore_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

// lossyProxy forwards to a server. Armed, it swallows the next answer and breaks that connection: the server has run
// the command, the client does not know, and sends it again.
type lossyProxy struct {
	addr  string
	armed atomic.Bool
	lost  atomic.Int32
}

func newLossyProxy(t *testing.T, server string) *lossyProxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	p := &lossyProxy{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.forward(client, server)
		}
	}()
	return p
}

func (p *lossyProxy) forward(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() { _, _ = io.Copy(upstream, client) }()
	answer := make([]byte, 64<<10)
	for {
		n, err := upstream.Read(answer)
		if err != nil {
			return
		}
		if p.armed.CompareAndSwap(true, false) {
			p.lost.Add(1)
			return
		}
		if _, err := client.Write(answer[:n]); err != nil {
			return
		}
	}
}

// lossy opens a store whose scripts the server knows already, so that the answer lost is a script's.
func lossy(t *testing.T) (*lossyProxy, *redisstore.Store) {
	server := standalone.get(t).config.Addrs[0]
	p := newLossyProxy(t, server)
	s := open(t, topology{config: configOf(p.addr), options: redisstore.Options{Timeout: patience}})
	warm := pin(t, s, "warm")
	warm, err := s.Rehome(t.Context(), refused(warm))
	require.NoError(t, err)
	_, err = s.Update(t.Context(), sessions.UpdateRequest{Key: warm.Key})
	require.NoError(t, err)
	_, err = s.End(t.Context(), warm, true)
	require.NoError(t, err)
	bound, created, err := s.Bind(t.Context(), bindAs(reserve(t, s), "warm too"))
	require.NoError(t, err)
	require.True(t, created)
	_, err = s.End(t.Context(), bound, true)
	require.NoError(t, err)
	_, err = s.Once(t.Context(), own(t)+"-warm", time.Minute)
	require.NoError(t, err)
	return p, s
}

func refused(s sessions.Session) sessions.RehomeRequest {
	return sessions.RehomeRequest{
		Session: s, Reason: sessions.ReasonLost, Certain: true,
		Placement: sessions.Placement{Candidates: homes, PerInstance: 1 << 30},
	}
}

func (p *lossyProxy) loseNext(t *testing.T) {
	p.armed.Store(true)
	before := p.lost.Load()
	t.Cleanup(func() { require.Greater(t, p.lost.Load(), before, "no answer was lost: the test tested nothing") })
}

func TestLostAnswerOfPin(t *testing.T) {
	t.Parallel()
	for _, mode := range []sessions.Mode{sessions.GetOrCreate, sessions.Create} {
		p, s := lossy(t)
		r := request(t, numbered(int(mode)))
		r.Mode, r.Isolation, r.PerInstance = mode, true, 1
		r.Candidates, r.Fingerprint = []sessions.Home{{Version: "v", ID: r.ID, Incarnation: 1}}, "sum"
		p.loseNext(t)
		got, created, err := s.Pin(t.Context(), r)
		require.NoError(t, err, "a call sent twice meets the session that it made, on the slot that it took")
		require.True(t, created)
		require.Equal(t, r.ID, got.Home.ID)
		r.Mode, r.Fingerprint = sessions.Create, ""
		_, _, err = s.Pin(t.Context(), r)
		require.ErrorIs(t, err, sessions.ErrExists, "another call is another call")
	}
}

// reserve takes a slot of the first home.
func reserve(t *testing.T, s *redisstore.Store) sessions.Session {
	r := request(t, "")
	r.Candidates = homes[:1]
	r.Key, r.Mode = sessions.ReservedKey(r.Function, r.Qualifier), sessions.Create
	got, created, err := s.Pin(t.Context(), r)
	require.NoError(t, err)
	require.True(t, created)
	return got
}

func bindAs(s sessions.Session, id string) sessions.BindRequest {
	return sessions.BindRequest{Reservation: s, ID: id, Settings: s.Settings}
}

func TestLostAnswerOfBind(t *testing.T) {
	t.Parallel()
	p, s := lossy(t)
	p.loseNext(t)
	reserved := reserve(t, s)
	p.loseNext(t)
	first, created, err := s.Bind(t.Context(), bindAs(reserved, "x"))
	require.NoError(t, err)
	require.True(t, created, "a call sent twice meets the session that it made")
	second := reserve(t, s)
	p.loseNext(t)
	got, created, err := s.Bind(t.Context(), bindAs(second, "x"))
	require.NoError(t, err, "nor does it miss the slot that it gave back")
	require.False(t, created)
	require.Equal(t, first.Epoch, got.Epoch)
	third := reserve(t, s)
	p.loseNext(t)
	ended, err := s.End(t.Context(), third, true)
	require.NoError(t, err, "of which nothing is kept")
	require.Equal(t, third.Epoch, ended.Epoch)
}

func TestLostAnswerOfRehome(t *testing.T) {
	t.Parallel()
	p, s := lossy(t)
	pinned := pin(t, s, "x")
	p.loseNext(t)
	moved, err := s.Rehome(t.Context(), refused(pinned))
	require.NoError(t, err)
	require.Equal(t, pinned.Epoch+1, moved.Epoch, "moved once")
	require.NotEqual(t, pinned.Home, moved.Home)
	_, err = s.Rehome(t.Context(), refused(pinned))
	require.ErrorIs(t, err, sessions.ErrMoved, "another call is another call")
}

func TestLostAnswerOfEnd(t *testing.T) {
	t.Parallel()
	p, s := lossy(t)
	for i, keep := range []bool{true, false} {
		pinned := pin(t, s, numbered(i))
		p.loseNext(t)
		ended, err := s.End(t.Context(), pinned, keep)
		require.NoError(t, err)
		require.Equal(t, pinned.Epoch, ended.Epoch)
		require.Equal(t, sessions.Ended, ended.State)
	}
}

// TestLostAnswerOfUpdate: the second run must change nothing, also when it ended the session.
func TestLostAnswerOfUpdate(t *testing.T) {
	t.Parallel()
	p, s := lossy(t)
	for i, ttl := range []time.Duration{time.Minute, time.Microsecond} {
		pinned := pin(t, s, numbered(i))
		p.loseNext(t)
		got, err := s.Update(t.Context(), sessions.UpdateRequest{Key: pinned.Key, TTL: &ttl})
		require.NoError(t, err)
		require.Equal(t, pinned.Epoch, got.Epoch)
		require.Equal(t, ttl, got.TTL)
		require.Less(t, got.ModifiedAt, got.ReadAt, "the answer of the first run")
		require.Equal(t, i == 1, got.State == sessions.Ended)
	}
}

func TestLostAnswerOfOnce(t *testing.T) {
	t.Parallel()
	p, s := lossy(t)
	p.loseNext(t)
	first, err := s.Once(t.Context(), own(t), time.Minute)
	require.NoError(t, err)
	require.True(t, first, "a call sent twice meets itself")
	again, err := s.Once(t.Context(), own(t), time.Minute)
	require.NoError(t, err)
	require.False(t, again, "another call is another call")
}

func TestLostAnswerOfTouch(t *testing.T) {
	t.Parallel()
	p, s := lossy(t)
	pinned := pin(t, s, "x")
	_, err := s.Touch(t.Context(), []sessions.Touch{{Key: pinned.Key}})
	require.NoError(t, err)
	p.loseNext(t)
	stale, err := s.Touch(t.Context(), []sessions.Touch{{Key: pinned.Key, Epoch: pinned.Epoch, InFlight: true, Delivered: true}, {Key: pinned.Key}})
	require.NoError(t, err)
	require.Equal(t, []int{1}, stale)
	p.loseNext(t)
	ended, err := s.End(t.Context(), pinned, false)
	require.NoError(t, err, "Ending, and sent again")
	require.Equal(t, sessions.Ending, ended.State)
	require.True(t, ended.Deleted)
}

func TestLostAnswerOfSecret(t *testing.T) {
	t.Parallel()
	p, s := lossy(t)
	p.loseNext(t)
	first, err := s.Secret(t.Context(), own(t))
	require.NoError(t, err)
	again, err := s.Secret(t.Context(), own(t))
	require.NoError(t, err)
	require.Equal(t, first, again, "the one that was stored, not the one that was sent")
}
