package sample_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/limpet-proxy/limpet/sample"
)

// discard is a response that goes nowhere and costs nothing.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// request is one of the session's, as a proxy would send it.
func request(b *testing.B, id int) *http.Request {
	req, err := http.NewRequest(http.MethodGet, "/", http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Limpet-Session-Id", fmt.Sprint("session-", id))
	req.Header.Set("Limpet-Session-Epoch", "1700000000000000")
	return req
}

// BenchmarkServeHTTP is what a counted request costs beside net/http.
func BenchmarkServeHTTP(b *testing.B) {
	s := sample.New(sample.Options{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w := discard{}
		var requests []*http.Request
		for id := range 1000 {
			requests = append(requests, request(b, id))
		}
		for i := 0; pb.Next(); i++ {
			clear(w)
			s.ServeHTTP(w, requests[i%len(requests)])
		}
	})
}
