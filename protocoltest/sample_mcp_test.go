package protocoltest_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
	"github.com/limpet-proxy/limpet/sample"
)

// startSample serves a sample instance until the end of the test.
func startSample(t *testing.T, o sample.Options) *sample.Running {
	t.Helper()
	o.Name = "a"
	s, err := sample.Start("127.0.0.1:0", o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// counted is what the sample's tool answers.
func counted(t *testing.T, client *mcp.ClientSession, arguments map[string]any) (a sample.Answer) {
	t.Helper()
	res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: sample.MCPTool, Arguments: arguments})
	require.NoError(t, err)
	data, err := json.Marshal(res.StructuredContent)
	require.NoError(t, err)
	require.JSONEq(t, string(data), res.Content[0].(*mcp.TextContent).Text)
	require.NoError(t, json.Unmarshal(data, &a))
	return a
}

// TestTheSampleServesAnUnmodifiedClient: the server of limpet instance is our own, and so is the client of limpet load.
// What both have misunderstood would not show between them.
func TestTheSampleServesAnUnmodifiedClient(t *testing.T) {
	for name, o := range map[string]sample.Options{
		"JSON":          {},
		"event streams": {Trouble: sample.Trouble{Stream: 2, Interval: -1}},
	} {
		for asked, want := range map[string]string{
			"": "2025-11-25", "2025-11-25": "2025-11-25", "2025-06-18": "2025-06-18", "2025-03-26": "2025-03-26",
		} {
			t.Run(name+", "+asked, func(t *testing.T) {
				s := startSample(t, o)
				notes := make(chan any, 16)
				client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ClientOptions{
					LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) { notes <- r.Params.Data },
				})
				session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: s.URL() + sample.MCPPath},
					&mcp.ClientSessionOptions{ProtocolVersion: asked})
				require.NoError(t, err)
				require.Equal(t, want, session.InitializeResult().ProtocolVersion)
				require.NoError(t, session.Ping(t.Context(), nil))
				require.NoError(t, session.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "info"}))
				tools, err := session.ListTools(t.Context(), nil)
				require.NoError(t, err)
				require.Len(t, tools.Tools, 1)
				for n := 1; n <= 3; n++ {
					a := counted(t, session, nil)
					require.Equal(t, []any{"a", session.ID(), n, s.StartNonce()}, []any{a.Instance, a.Session, a.Count, a.Start})
				}
				// The client opens its stream in the background; what is sent before that nobody hears.
				require.NoError(t, limpettest.Poll(func() error {
					counted(t, session, map[string]any{"notify": true})
					select {
					case <-notes:
						return nil
					case <-time.After(10 * time.Millisecond):
						return context.DeadlineExceeded
					}
				}))
				_, err = session.CallTool(t.Context(), &mcp.CallToolParams{Name: "nonesuch"})
				require.ErrorContains(t, err, "accepted is count")
				require.NoError(t, session.Close())
				require.Zero(t, s.Sessions(), "the client has ended it")
			})
		}
	}
}

// A client whose session was forgotten is told so in the way that makes it begin another one.
func TestTheSampleForgetsAnUnmodifiedClient(t *testing.T) {
	s := startSample(t, sample.Options{})
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	connect := func() *mcp.ClientSession {
		session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: s.URL() + sample.MCPPath}, nil)
		require.NoError(t, err)
		return session
	}
	session := connect()
	require.Equal(t, 1, counted(t, session, nil).Count)
	s.Restart()
	_, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: sample.MCPTool})
	require.ErrorIs(t, err, mcp.ErrSessionMissing)
	_ = session.Close() // there is nothing left to end
	session = connect()
	require.Equal(t, 1, counted(t, session, nil).Count)
	require.NoError(t, session.Close())
}
