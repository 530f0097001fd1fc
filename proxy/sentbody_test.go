package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An instance may end a stream, in order or not, while the client still has its own half open and waits. The client is
// told at once.
func TestInstanceEndsTheStreamFirst(t *testing.T) {
	for name, c := range map[string]struct {
		path    string
		status  string // in the trailers, or in the head
		trailer bool
	}{
		"in order, in mid-stream": {"/ends", "7", true},
		"in order, at once":       {"/refused", "7", false},
		"broken, in mid-stream":   {"/broken", "14", true},
		"broken, at once":         {"/aborts", "14", false},
	} {
		for _, inHTTP2 := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, client by HTTP/2: %v", name, inHTTP2), func(t *testing.T) {
				w := startH2C(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/aborts":
						panic(http.ErrAbortHandler)
					case "/ends":
						w.Header().Set("Content-Type", "application/grpc")
						fmt.Fprint(w, "message")
						w.Header().Set(http.TrailerPrefix+"Grpc-Status", "7")
					default:
						grpcServer().ServeHTTP(w, r)
					}
				}))
				if !inHTTP2 {
					f, err := net.Dial("tcp", w.addr)
					require.NoError(t, err)
					defer f.Close()
					require.NoError(t, f.SetDeadline(time.Now().Add(patience)))
					fmt.Fprintf(f, "POST %s HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", c.path)
					_, err = io.ReadAll(f)
					require.NoError(t, err, "the connection is closed, or the answer ends it")
					return
				}
				client, _ := w.h2Client()
				in, send := io.Pipe()
				defer send.Close()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				r := w.request(http.MethodPost, c.path, in, "X-Session-Id", "s", "Content-Type", "application/grpc")
				res, err := client.Do(r.WithContext(ctx))
				require.NoError(t, err)
				defer res.Body.Close()
				_, err = io.Copy(io.Discard, res.Body)
				require.NoError(t, err)
				said := res.Header
				if c.trailer {
					said = res.Trailer
				}
				require.Equal(t, c.status, said.Get("Grpc-Status"))
				w.unharmed()
			})
		}
	}
}
