package redisstore_test

import (
	"bufio"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

func reply(wire string) (redisstore.RespValue, error) {
	return redisstore.ReadReply(bufio.NewReader(strings.NewReader(wire)))
}

func TestReadReply(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]redisstore.RespValue{
		"+PONG\r\n":                redisstore.Value('+', "PONG"),
		"-ERR no\r\n":              redisstore.Value('-', "ERR no"),
		"!6\r\nERR no\r\n":         redisstore.Value('-', "ERR no"),
		":1\r\n":                   redisstore.Value(':', "1"),
		"$2\r\n\r\n\r\n":           redisstore.Value('$', "\r\n"),
		"$-1\r\n":                  redisstore.Value('_', ""),
		"*-1\r\n":                  redisstore.Value('_', ""),
		"_\r\n":                    redisstore.Value('_', ""),
		"=7\r\ntxt:a:b\r\n":        redisstore.Value('=', "txt:a:b"),
		"%1\r\n+a\r\n#t\r\n":       redisstore.Value('%', "", redisstore.Value('+', "a"), redisstore.Value('#', "t")),
		">2\r\n+a\r\n*1\r\n,1\r\n": redisstore.Value('>', "", redisstore.Value('+', "a"), redisstore.Value('*', "", redisstore.Value(',', "1"))),
	} {
		got, err := reply(wire)
		require.NoError(t, err, "%q", wire)
		require.Equal(t, redisstore.Text(want), redisstore.Text(got), "%q", wire)
	}
}

func TestReadReplyRefuses(t *testing.T) {
	t.Parallel()
	for _, wire := range []string{
		"PONG\r\n", "\r\n", "+PONG\n", "$3\r\nab\r\n\r\n", "$2\r\nabc\r\n", "$1048577\r\n", "*1048577\r\n", "$x\r\n", "*-2\r\n", "$?\r\n",
		strings.Repeat("*1\r\n", 10) + ":1\r\n", "+" + strings.Repeat("a", 5000) + "\r\n",
	} {
		_, err := reply(wire)
		require.ErrorIs(t, err, redisstore.ErrProtocol, "%.20q", wire)
	}
}

func FuzzReadReply(f *testing.F) {
	for _, wire := range []string{">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", "%1\r\n+a\r\n:1\r\n", "*99999\r\n", "=4\r\ntxt:\r\n", "_\r\n"} {
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		v, err := reply(wire)
		if err == nil {
			require.LessOrEqual(t, len(redisstore.Text(v)), len(wire))
		}
	})
}

func TestSessionOfIsTheInverseOfRecord(t *testing.T) {
	t.Parallel()
	s := open(t, topology{config: configOf("127.0.0.1:1")})
	for _, k := range []sessions.Key{
		{Function: "f", Qualifier: "LATEST", ID: "x"}, {Function: "a:b}{ %", Qualifier: "q:}%", ID: "a:}:b%20"}, {},
	} {
		got, ok := redisstore.SessionOf(s, keysFor(s, k).Record)
		require.True(t, ok)
		require.Equal(t, k, got)
	}
	for _, other := range []string{"", "limpet", "limpet:s:", "limpet:s:{f}", "limpet:s:{f}:x", "limpet:s:{%}:a:b", "limpet:s:{f}:%:b", "other:s:{f}:a:b"} {
		_, ok := redisstore.SessionOf(s, other)
		require.False(t, ok, other)
	}
}

func TestMasterIsBelievedWhileAReplicaIsNear(t *testing.T) {
	t.Parallel()
	near, far := "slave0:ip=::1,port=1,state=online,offset=1,lag=2\r\n", "slave1:ip=::1,port=2,state=online,offset=1,lag=3\r\n"
	syncing := "slave2:ip=::1,port=2,state=wait_bgsave,offset=1,lag=0\r\n"
	for info, want := range map[string]error{
		"role:master\r\nconnected_slaves:0\r\n":                        nil,
		"role:master\r\nconnected_slaves:1\r\n" + near:                 nil,
		"role:master\r\nconnected_slaves:2\r\n" + far + near:           nil,
		"role:master\r\nconnected_slaves:2\r\n" + far + syncing:        redisstore.ErrCutOff,
		"role:master\r\nconnected_slaves:1\r\nslave0:lag=x\r\n":        redisstore.ErrCutOff,
		"role:master\r\nconnected_slaves:1\r\nslave0:state=online\r\n": redisstore.ErrCutOff,
		"role:slave\r\nconnected_slaves:0\r\n":                         redisstore.ErrNotMaster,
		"":                                                             redisstore.ErrNotMaster,
	} {
		require.Equal(t, want, redisstore.JudgeReplication(redisstore.Value('=', "txt:# Replication\r\n"+info)), info)
	}
	require.Error(t, redisstore.JudgeReplication(redisstore.Value('-', "NOPERM")))
}
