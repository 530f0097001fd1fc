package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// errNoPort means that no free port was found.
var errNoPort = errors.New("no free port on the loopback address")

const (
	loopback = "127.0.0.1"
	// Ports are taken from a range that systems do not take the local ports of outgoing connections from: Limpet itself
	// opens many on this very address, and one of them could have an instance's port before the instance does.
	firstPort, lastPort = 20000, 32767
	// portTries is how many ports of the range are tried before the system is asked for any.
	portTries = 64
)

// Ports gives out ports of the loopback address, each to one process at a time. It is safe for concurrent use. The zero
// value is ready.
type Ports struct {
	mu    sync.Mutex
	taken map[int]bool
}

// take returns a port that nobody listens on; release must follow. errNoPort. Between this and the moment at which the
// process listens, another program may take it.
func (p *Ports) take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil {
		p.taken = map[int]bool{}
	}
	for n := range 2 * portTries {
		port := firstPort + rand.IntN(min(lastPort, ephemeralFrom()-1)-firstPort+1)
		if n >= portTries {
			port = 0
		}
		if port, free := free(port); free && !p.taken[port] {
			p.taken[port] = true
			return port, nil
		}
	}
	return 0, errNoPort
}

func (p *Ports) release(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, port)
}

// free says whether a program could listen on the port now; 0 stands for any.
func free(port int) (int, bool) {
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", loopback, port))
	if err != nil {
		return port, false
	}
	defer l.Close() //nolint:errcheck // it was only tried
	return l.Addr().(*net.TCPAddr).Port, true
}

// owner says whose a listener is.
type owner uint8

const (
	ownerUnknown owner = iota
	ownerChild         // the child's, or of a process that it has started
	ownerOther         // a program's that was there before the child: it cannot be the child's doing
)
