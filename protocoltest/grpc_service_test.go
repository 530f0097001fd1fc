package protocoltest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// counter is a gRPC server that counts the messages of each session in its own memory. It is what protoc would make of
//
//	service Counter {
//	  rpc Count(StringValue) returns (StringValue);
//	  rpc Talk(stream StringValue) returns (stream StringValue);
//	  rpc Watch(StringValue) returns (stream StringValue);
//	  rpc Gather(stream StringValue) returns (StringValue);
//	}
//
// Every answer is the instance's name and the session's count. What a session sends to Count decides what it gets: "fail"
// a status with a trailer, "wait" nothing before its deadline.
type counter struct {
	name   string
	server *grpc.Server
	addr   string

	mu     sync.Mutex
	counts map[string]int
}

// startCounter runs a counter until the end of the test.
func startCounter(t *testing.T, name string, options ...grpc.ServerOption) *counter {
	t.Helper()
	c := &counter{name: name, counts: map[string]int{}, server: grpc.NewServer(options...)}
	c.server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "limpet.test.Counter", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Count", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var in wrapperspb.StringValue
			if err := decode(&in); err != nil {
				return nil, err
			}
			return c.count(ctx, in.Value)
		}}},
		Streams: []grpc.StreamDesc{
			{StreamName: "Talk", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error { return c.talk(s) }},
			{StreamName: "Watch", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error { return c.watch(s) }},
			{StreamName: "Gather", ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error { return c.gather(s) }},
		},
	}, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c.addr = l.Addr().String()
	go c.server.Serve(l) //nolint:errcheck // Stop ends it
	t.Cleanup(c.server.Stop)
	return c
}

// next counts one message of the session of a call.
func (c *counter) next(ctx context.Context) *wrapperspb.StringValue {
	session := metadata.ValueFromIncomingContext(ctx, "limpet-session-id")[0]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[session]++
	return wrapperspb.String(fmt.Sprintf("%s %d", c.name, c.counts[session]))
}

func (c *counter) count(ctx context.Context, what string) (*wrapperspb.StringValue, error) {
	grpc.SetTrailer(ctx, metadata.Pairs("served-by", c.name, "data-bin", "\x00\xff")) //nolint:errcheck // of a call that is under way
	switch what {
	case "fail":
		return nil, status.Error(codes.FailedPrecondition, "no, 100 %: ü")
	case "wait":
		_, has := ctx.Deadline()
		if !has {
			return nil, status.Error(codes.Internal, "the deadline did not arrive")
		}
		<-ctx.Done()
	}
	return c.next(ctx), nil
}

func (c *counter) talk(s grpc.ServerStream) error {
	for {
		var in wrapperspb.StringValue
		if err := s.RecvMsg(&in); errors.Is(err, io.EOF) {
			s.SetTrailer(metadata.Pairs("served-by", c.name))
			return nil
		} else if err != nil {
			return err
		}
		if err := s.SendMsg(c.next(s.Context())); err != nil {
			return err
		}
	}
}

func (c *counter) watch(s grpc.ServerStream) error {
	if err := s.RecvMsg(&wrapperspb.StringValue{}); err != nil {
		return err
	}
	for range 3 {
		if err := s.SendMsg(c.next(s.Context())); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (c *counter) gather(s grpc.ServerStream) error {
	for {
		if err := s.RecvMsg(&wrapperspb.StringValue{}); errors.Is(err, io.EOF) {
			return s.SendMsg(c.next(s.Context()))
		} else if err != nil {
			return err
		}
	}
}

// caller makes calls of one session.
type caller struct {
	conn *grpc.ClientConn
	id   string
}

func (c caller) session(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-session-id", c.id)
}

func (c caller) count(ctx context.Context, what string, options ...grpc.CallOption) (string, error) {
	var out wrapperspb.StringValue
	err := c.conn.Invoke(c.session(ctx), "/limpet.test.Counter/Count", wrapperspb.String(what), &out, options...)
	return out.Value, err
}

// talk is an open stream of a session.
type talk struct{ grpc.ClientStream }

func (c caller) open(ctx context.Context, method string) (talk, error) {
	s, err := c.conn.NewStream(c.session(ctx), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/limpet.test.Counter/"+method)
	return talk{s}, err
}

// say sends a message and reads the answer.
func (s talk) say() (string, error) {
	if err := s.SendMsg(wrapperspb.String("")); err != nil && !errors.Is(err, io.EOF) { // then the answer says why
		return "", err
	}
	return s.hear()
}

func (s talk) hear() (string, error) {
	var out wrapperspb.StringValue
	err := s.RecvMsg(&out)
	return out.Value, err
}
