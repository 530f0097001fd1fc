package protocoltest_test

import (
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

func TestDeps(t *testing.T) {
	_ = mcp.NewServer
	p := serve(t, redis(t)+"functions: [{name: a, instances: {static: [{id: a, url: \"http://127.0.0.1:1\"}]}}]\n")
	require.NotEmpty(t, p.Listen)
}
