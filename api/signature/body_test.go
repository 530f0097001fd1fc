package signature_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api/signature"
)

const hold = 8 << 10

// pieces gives a body in pieces of the given sizes, again and again. A size of 0 is a Read that gives nothing.
type pieces struct {
	data   []byte
	sizes  []byte
	i      int
	err    error // at the end; io.EOF by default
	eof    bool  // with the last byte, not after it
	closed bool
}

func (p *pieces) Read(into []byte) (int, error) {
	end := p.err
	if end == nil {
		end = io.EOF
	}
	if len(p.data) == 0 {
		return 0, end
	}
	size := len(into)
	if len(p.sizes) > 0 {
		size = int(p.sizes[p.i%len(p.sizes)])
		p.i++
	}
	n := copy(into[:min(size, len(into))], p.data)
	p.data = p.data[n:]
	if p.eof && len(p.data) == 0 {
		return n, end
	}
	return n, nil
}

func (p *pieces) Close() error { p.closed = true; return nil }

func claiming(hash string) signature.Signed { return signature.Signed{Payload: hash} }

func TestASignedBodyStreams(t *testing.T) {
	for _, size := range []int{0, 1, hold - 1, hold, hold + 1, 2*hold - 1, 2 * hold, 2*hold + 1, 3 * hold, 100_000} {
		data := bytes.Repeat([]byte("body of a request "), size/18+1)[:size]
		for _, source := range []*pieces{{}, {eof: true}, {sizes: []byte{1, 0, 255, 0, 0}}, {sizes: []byte{7}, eof: true}} {
			source.data = data
			r := claiming(sum(string(data))).Body(source)
			got, err := io.ReadAll(iotest.HalfReader(r))
			require.NoError(t, err, size)
			require.True(t, bytes.Equal(data, got), size)
			n, err := r.Read(make([]byte, 1))
			require.Zero(t, n)
			require.ErrorIs(t, err, io.EOF)
			require.NoError(t, r.Close())
			require.True(t, source.closed)
		}
	}
}

func TestATamperedBodyIsHeldBack(t *testing.T) {
	for _, size := range []int{1, 100, hold, hold + 1, 2 * hold, 2*hold + 1, 100_000} {
		data := bytes.Repeat([]byte("x"), size)
		for _, hash := range []string{sum(""), sum(string(data[1:])), sum(string(data) + "x"), "garbage"} {
			if size == 1 && hash == sum("") {
				hash = sum("y")
			}
			r := claiming(hash).Body(&pieces{data: data})
			got, err := io.ReadAll(r)
			require.ErrorIs(t, err, signature.ErrBody, size)
			require.LessOrEqual(t, len(got), max(0, size-hold), size)
			_, err = r.Read(make([]byte, 1))
			require.ErrorIs(t, err, signature.ErrBody, size)
		}
	}
	_, err := io.ReadAll(claiming(sum("x")).Body(http.NoBody))
	require.ErrorIs(t, err, signature.ErrBody)
}

// What is certainly not the end goes on before the end is there: memory is bounded.
func TestALargeBodyIsNotBuffered(t *testing.T) {
	in, out := io.Pipe()
	r := claiming(sum(strings.Repeat("x", 3*hold))).Body(in)
	go func() { _, _ = io.WriteString(out, strings.Repeat("x", 2*hold)) }()
	got := make([]byte, hold)
	_, err := io.ReadFull(r, got)
	require.NoError(t, err)
	go func() {
		_, _ = io.WriteString(out, strings.Repeat("x", hold))
		_ = out.Close()
	}()
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Len(t, rest, 2*hold)
}

func TestABodyThatFails(t *testing.T) {
	broken := errors.New("connection reset")
	r := claiming(sum("abc")).Body(&pieces{data: []byte("abc"), err: broken})
	got, err := io.ReadAll(r)
	require.ErrorIs(t, err, broken)
	require.Empty(t, got)
	_, err = io.ReadAll(claiming(sum("abc")).Body(&pieces{data: []byte("abc"), sizes: []byte{0}}))
	require.ErrorIs(t, err, io.ErrNoProgress)
	recorder := httptest.NewRecorder()
	limited := http.MaxBytesReader(recorder, &pieces{data: []byte("abc")}, 2)
	_, err = io.ReadAll(claiming(sum("abc")).Body(limited))
	require.ErrorAs(t, err, new(*http.MaxBytesError))
}

func TestZeroLengthReadsWaitForNothing(t *testing.T) {
	in, out := io.Pipe()
	defer func() { require.NoError(t, out.Close()) }()
	n, err := claiming(sum("x")).Body(in).Read(nil)
	require.Zero(t, n)
	require.NoError(t, err)
}

// http.Transport closes a body that it is still reading when the server answers early.
func TestCloseDuringARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, _ := io.Pipe()
		r := claiming(sum("x")).Body(in)
		read := make(chan error)
		go func() {
			_, err := r.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		require.NoError(t, r.Close())
		require.ErrorIs(t, <-read, io.ErrClosedPipe)
		_, err := r.Read(make([]byte, 1))
		require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
	})
}

// A proxy that passes a tampered body on: the instance gets a request that ends in the middle, never a whole one.
func TestAProxyPassesNoTamperedBodyOn(t *testing.T) {
	whole := make(chan bool, 1)
	instance := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		whole <- err == nil
	}))
	defer instance.Close()
	data := strings.Repeat("x", 5*hold)
	for _, length := range []int64{int64(len(data)), -1} {
		for claim, passes := range map[string]bool{sum(data): true, sum(data + "x"): false} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, instance.URL, claiming(claim).Body(io.NopCloser(strings.NewReader(data))))
			require.NoError(t, err)
			r.ContentLength = length
			response, err := http.DefaultClient.Do(r)
			require.Equal(t, passes, err == nil, "%v", err)
			if err == nil {
				require.NoError(t, response.Body.Close())
			}
			select {
			case got := <-whole:
				require.Equal(t, passes, got)
			case <-time.After(10 * time.Second):
				require.Fail(t, "the instance got nothing")
			}
		}
	}
}
