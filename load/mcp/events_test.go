package mcp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/mcp"
)

// read feeds a stream in pieces of a size and returns its events.
func read(stream []byte, size int) (events []string, err error) {
	var e mcp.Events
	for part := range slices.Chunk(stream, size) {
		_, err = e.Feed(part, func(data []byte) bool {
			events = append(events, string(data))
			return false
		})
		if err != nil {
			return events, err
		}
	}
	return events, nil
}

func TestEventStreams(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"two":                    {"data: a\n\ndata: b\n\n", []string{"a", "b"}},
		"by carriage returns":    {"data: a\r\rdata: b\r\r", []string{"a", "b"}},
		"by both":                {"data: a\r\n\r\ndata: b\r\n\r\n", []string{"a", "b"}},
		"lines":                  {"data: a\ndata:  b\ndata\n\n", []string{"a\n b\n"}},
		"no space":               {"data:a\n\n", []string{"a"}},
		"empty data":             {"data\n\n", []string{""}},
		"comments and fields":    {": x\nid: 1\nretry: 5\nnonesuch: y\ndata: a\n\n", []string{"a"}},
		"named message":          {"event: message\ndata: a\n\n", []string{"a"}},
		"named nothing":          {"event:\ndata: a\n\n", []string{"a"}},
		"named otherwise":        {"event: x\ndata: a\n\ndata: b\n\n", []string{"b"}},
		"no data":                {"id: 1\n\n\n\ndata: a\n\n", []string{"a"}},
		"not ended":              {"data: a\n\ndata: b\n", []string{"a"}},
		"a byte order mark":      {"\ufeffdata: a\n\n\ufeffdata: b\n\n", []string{"a"}},
		"a colon in it":          {"data: a:b\n\n", []string{"a:b"}},
		"names are whole, exact": {"Data: a\ndatax: b\n data: c\n\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(c.stream); size++ {
				got, err := read([]byte(c.stream), size)
				require.NoError(t, err)
				require.Equal(t, c.want, got, "in pieces of %d", size)
			}
		})
	}
}

func TestAnEventStreamIsBounded(t *testing.T) {
	most := strings.Repeat("x", mcp.MaxMessage-len("data: "))
	got, err := read([]byte("data: "+most+"\n\n"), 1000)
	require.NoError(t, err)
	require.Equal(t, []string{most}, got)
	for name, stream := range map[string]string{
		"a line":    "data: x" + most,
		"an event":  strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 66),
		"by spaces": strings.Repeat("data\n", mcp.MaxMessage+2),
		"a comment": ":" + strings.Repeat("x", mcp.MaxMessage),
	} {
		_, err := read([]byte(stream), 1000)
		require.ErrorIs(t, err, mcp.ErrEvents, name)
	}
}

func TestFeedEndsWhenItIsTold(t *testing.T) {
	var e mcp.Events
	var got []string
	done, err := e.Feed([]byte("data: a\n\ndata: b\n\n"), func(data []byte) bool {
		got = append(got, string(data))
		return true
	})
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, []string{"a"}, got)
	_, err = e.Feed([]byte("data: half"), nil)
	require.NoError(t, err)
	e.Reset()
	_, err = e.Feed([]byte("data: c\n\n"), func(data []byte) bool {
		got = append(got, string(data))
		return false
	})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c"}, got)
}

// FuzzEventStream: a stream has the same events however it is split, of which none is longer than it may be.
func FuzzEventStream(f *testing.F) {
	for _, stream := range []string{
		"data: a\n\ndata: b\r\r", "\ufeffevent: x\r\ndata\r\n\r\n", ":\n\ndata:\ndata: \n\n", "data: {\"a\":1}\n\n\x00", "\r\n\n\r",
	} {
		f.Add([]byte(stream), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		whole, err := read(stream, max(1, len(stream)))
		split, splitErr := read(stream, 1+int(size))
		require.Equal(t, whole, split)
		require.Equal(t, err, splitErr)
		for _, event := range whole {
			require.LessOrEqual(t, len(event), mcp.MaxMessage)
		}
	})
}
