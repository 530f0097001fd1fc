package wire

import (
	"errors"
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
}

// head begins a head. What the buffer takes in of the body behind it counts, so there is room for that too.
func (i *inlet) head() { i.left = MaxHead + readBuffer }

// rest is for what follows the head, which the reader bounds by itself.
func (i *inlet) rest() { i.left = math.MaxInt }

func (i *inlet) Read(p []byte) (int, error) {
	if i.left == 0 {
		return 0, ErrHead
	}
	if len(p) > i.left {
		p = p[:i.left]
	}
	n, err := i.conn.Read(p)
	if i.left != math.MaxInt {
		i.left -= n
	}
	return n, err
}
