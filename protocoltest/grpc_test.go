package protocoltest_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/limpet-proxy/limpet/certificates/certtest"
	"github.com/limpet-proxy/limpet/limpettest"
)

// counters runs three counters and returns a configuration that has them. With a certificate they speak TLS.
func counters(t *testing.T, own *certtest.Issued) (all []*counter, config string) {
	t.Helper()
	protocol, scheme, options := "h2c", "http", []grpc.ServerOption(nil)
	if own != nil {
		protocol, scheme, options = "h2", "https", []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(&own.TLS))}
	}
	config = "functions:\n  - name: counter\n    sessions: {per_instance: 40}\n    instances:\n      protocol: " + protocol + "\n      static:\n"
	for _, name := range []string{"a", "b", "c"} {
		c := startCounter(t, name, options...)
		all = append(all, c)
		config += fmt.Sprintf("        - {id: %s, url: %s://%s}\n", name, scheme, c.addr)
	}
	return all, config
}

// atOnce makes Limpet leave without the delay that a balancer needs.
const atOnce = "shutdown: {delay: 0s}\n"

// connect returns a connection to addr, and counts how often it is made.
func connect(t *testing.T, addr string, creds credentials.TransportCredentials) (*grpc.ClientConn, *atomic.Int64) {
	t.Helper()
	dials := &atomic.Int64{}
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			dials.Add(1)
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn, dials
}

// A hundred sessions talk on one connection, each with its own instance, whose count is its own.
func TestGRPCSessionsOfOneConnectionGoHome(t *testing.T) {
	const sessions, messages = 100, 10
	ca := certtest.New(t, "ca")
	t.Setenv("SSL_CERT_FILE", ca.File) // for Limpet, which speaks to the instances
	own := ca.Issue(time.Time{}, "127.0.0.1")
	for name, c := range map[string]struct {
		config string
		creds  credentials.TransportCredentials
		own    *certtest.Issued
	}{
		"without TLS": {"h2c: true\n", insecure.NewCredentials(), nil},
		"over TLS": {
			fmt.Sprintf("tls: {certificates: [{cert_file: %s, key_file: %s}]}\n", own.CertFile, own.KeyFile),
			credentials.NewTLS(&tls.Config{RootCAs: ca.Pool()}), &own,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, config := counters(t, c.own)
			p := serve(t, atOnce+c.config+config)
			conn, dials := connect(t, p.Listen, c.creds)
			open, said := make([]talk, sessions), make([][]string, sessions)
			for i := range open {
				var err error
				open[i], err = caller{conn, fmt.Sprint("s", i)}.open(t.Context(), "Talk")
				require.NoError(t, err)
			}
			var all errgroup.Group
			for i, s := range open {
				all.Go(func() error {
					for range messages {
						answer, err := s.say()
						if err != nil {
							return err
						}
						said[i] = append(said[i], answer)
					}
					return nil
				})
			}
			require.NoError(t, all.Wait())
			homes := map[string]int{}
			for i, answers := range said {
				home, _, _ := strings.Cut(answers[0], " ")
				homes[home]++
				for n, answer := range answers {
					require.Equal(t, fmt.Sprint(home, " ", n+1), answer, "session %d", i)
				}
				require.NoError(t, open[i].CloseSend())
				_, err := open[i].hear()
				require.ErrorContains(t, err, "EOF")
				require.Equal(t, []string{home}, open[i].Trailer().Get("served-by"))
			}
			require.Len(t, homes, 3)
			require.EqualValues(t, 1, dials.Load())
		})
	}
}

func TestGRPCPasses(t *testing.T) {
	_, config := counters(t, nil)
	p := serve(t, atOnce+"h2c: true\n"+config)
	conn, _ := connect(t, p.Listen, insecure.NewCredentials())
	c := caller{conn, "s"}

	var header, trailer metadata.MD
	first, err := c.count(t.Context(), "", grpc.Header(&header), grpc.Trailer(&trailer))
	require.NoError(t, err)
	home, _, _ := strings.Cut(first, " ")
	require.Equal(t, home+" 1", first)
	require.Equal(t, []string{"s"}, header.Get("x-session-id"))
	require.Equal(t, []string{"created"}, header.Get("limpet-session-event"))
	require.Equal(t, []string{home}, trailer.Get("served-by"))
	require.Equal(t, []string{"\x00\xff"}, trailer.Get("data-bin"))

	_, err = c.count(t.Context(), "fail", grpc.Trailer(&trailer))
	require.Equal(t, codes.FailedPrecondition, status.Code(err))
	require.Equal(t, "no, 100 %: ü", status.Convert(err).Message())
	require.Equal(t, []string{home}, trailer.Get("served-by"))

	brief, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = c.count(brief, "wait")
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), err)

	watch, err := c.open(t.Context(), "Watch")
	require.NoError(t, err)
	require.NoError(t, watch.SendMsg(wrapperspb.String("")))
	require.NoError(t, watch.CloseSend())
	for range 3 {
		answer, err := watch.hear()
		require.NoError(t, err)
		require.Contains(t, answer, home+" ")
	}
	gather, err := c.open(t.Context(), "Gather")
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, gather.SendMsg(wrapperspb.String("")))
	}
	require.NoError(t, gather.CloseSend())
	answer, err := gather.hear()
	require.NoError(t, err)
	require.Contains(t, answer, home+" ")

	_, err = caller{conn, "-"}.count(t.Context(), "", grpc.Header(&header), grpc.Trailer(&trailer))
	require.Equal(t, codes.InvalidArgument, status.Code(err), err)
	require.Contains(t, status.Convert(err).Message(), "InvalidArgument: ")

	err = conn.Invoke(t.Context(), "/limpet.test.Counter/Count", wrapperspb.String(""), &wrapperspb.StringValue{}, grpc.Header(&header))
	require.NoError(t, err)
	require.Len(t, header.Get("x-session-id"), 1, "who names no session gets one")
}

// Sessions of an instance that is killed are told so, by a status and, at home elsewhere, by an event. Nobody else is.
func TestGRPCInstanceIsKilled(t *testing.T) {
	const sessions = 12
	all, config := counters(t, nil)
	p := serve(t, atOnce+"h2c: true\n"+config)
	conn, dials := connect(t, p.Listen, insecure.NewCredentials())
	homes, open := make([]string, sessions), make([]talk, sessions)
	for i := range open {
		var err error
		open[i], err = caller{conn, fmt.Sprint("s", i)}.open(t.Context(), "Talk")
		require.NoError(t, err)
		answer, err := open[i].say()
		require.NoError(t, err)
		homes[i], _, _ = strings.Cut(answer, " ")
	}
	require.Contains(t, homes, "a")
	all[0].server.Stop()
	for i, home := range homes {
		answer, err := open[i].say()
		if home != "a" {
			require.NoError(t, err)
			require.Equal(t, home+" 2", answer)
			continue
		}
		require.Equal(t, codes.Unavailable, status.Code(err), err)
		again, err := caller{conn, fmt.Sprint("s", i)}.open(t.Context(), "Talk")
		require.NoError(t, err)
		answer, err = again.say()
		require.NoError(t, err)
		require.NotContains(t, answer, "a ")
		require.True(t, strings.HasSuffix(answer, " 1"), answer)
		header, err := again.Header()
		require.NoError(t, err)
		require.Equal(t, []string{`rehomed; reason="instance lost"; from="a"`}, header.Get("limpet-session-event"))
	}
	require.EqualValues(t, 1, dials.Load())
}

// Two replicas are replaced one after the other while calls are made all the time. What a leaving one does not serve, it
// says by GOAWAY, and grpc-go sends that again by itself; no call fails and no session moves.
func TestGRPCRollingRestart(t *testing.T) {
	const callers = 8
	_, config := counters(t, nil)
	config = "h2c: true\nshutdown: {delay: 300ms, deadline: 5s}\n" + redis(t) + config
	replicas := []*limpettest.Process{serve(t, config), serve(t, config)}
	addresses := manual.NewBuilderWithScheme("limpet")
	state := func() (s resolver.State) {
		for _, p := range replicas {
			s.Addresses = append(s.Addresses, resolver.Address{Addr: p.Listen})
		}
		return s
	}
	addresses.InitialState(state())
	conn, err := grpc.NewClient("limpet:///", grpc.WithResolvers(addresses), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))
	require.NoError(t, err)
	defer conn.Close()

	stop := make(chan struct{})
	var all errgroup.Group
	for i := range callers {
		all.Go(func() error {
			c := caller{conn, fmt.Sprint("s", i)}
			for n, home := 1, ""; ; n++ {
				answer, err := c.count(context.Background(), "")
				if err != nil {
					return fmt.Errorf("call %d: %w", n, err)
				}
				if n == 1 {
					home, _, _ = strings.Cut(answer, " ")
				}
				if answer != fmt.Sprint(home, " ", n) {
					return fmt.Errorf("call %d: %q, home was %s", n, answer, home)
				}
				select {
				case <-stop:
					return nil
				default:
				}
			}
		})
	}
	for i := range replicas {
		old := replicas[i]
		replicas[i] = serve(t, config)
		require.NoError(t, old.Stop())
		addresses.UpdateState(state())
	}
	close(stop)
	require.NoError(t, all.Wait())
}
