package protocoltest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

func TestDeps(t *testing.T) {
	_ = grpc.NewServer
	p := serve(t, redis(t)+"functions: [{name: a, instances: {static: [{id: a, url: \"http://127.0.0.1:1\"}]}}]\n")
	require.NotEmpty(t, p.Listen)
}
