package wire_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

// TestAHeadWithoutEndTakesNoMemory: it ends at MaxHead, whatever more would come.
func TestAHeadWithoutEndTakesNoMemory(t *testing.T) {
	for name, begin := range map[string]string{"status": "HTTP/1.1 200 ", "header": "HTTP/1.1 200 OK\r\nA: "} {
		t.Run(name, func(t *testing.T) {
			wrote := make(chan int, 1)
			c := dial(t, serve(t, func(conn net.Conn) {
				readHead(bufio.NewReader(conn))
				_, _ = conn.Write([]byte(begin))
				total, piece := 0, []byte(strings.Repeat("x", 64<<10))
				for {
					n, err := conn.Write(piece)
					total += n
					if err != nil {
						wrote <- total
						return
					}
				}
			}))
			_, err := c.Do(get(http.MethodGet))
			require.ErrorIs(t, err, wire.ErrHead)
			require.NoError(t, c.Close())
			require.Less(t, <-wrote, 64<<20) // what the sockets had room for
		})
	}
}
