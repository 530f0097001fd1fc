package wire

import (
	"errors"
	"io"
	"math"
	"net"
)

// MaxHead bounds the heads of a response in bytes, those of the 1xx ones before it included. net/http's own reader has
// no bound: a server that never ends its head would take all memory there is.
const MaxHead = 64 << 10

// ErrHead means that a response's heads are longer than MaxHead.
var ErrHead = errors.New("the response's head is too long")

// inlet is where a Conn reads from. While a head is read it lets a bounded number of bytes in.
type inlet struct {
	conn net.Conn
	left int
	err  error // of the last read
}

// head begins a head. What the buffer takes in of the body behind it counts, so there is room for that too.
func (i *inlet) head() { i.left = MaxHead + readBuffer }

// rest is for what follows the head, which the reader bounds by itself.
func (i *inlet) rest() { i.left = math.MaxInt }

func (i *inlet) Read(p []byte) (n int, err error) {
	if i.left == 0 {
		i.err = ErrHead
		return 0, i.err
	}
	n, i.err = i.conn.Read(p[:min(len(p), i.left)])
	i.left -= n
	return n, i.err
}

// cause is why a head could not be read. Of one that was cut short net/http says that its last line is malformed.
func (i *inlet) cause(err error) error {
	switch {
	case i.err == nil:
		return err
	case errors.Is(i.err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return i.err
}
