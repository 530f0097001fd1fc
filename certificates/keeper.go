package certificates

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Keeper keeps one listener's TLS in step with its files. Connections that are open, and handshakes that have begun, stay
// with what they began with. It is safe for concurrent use.
type Keeper struct {
	inForce atomic.Pointer[state]

	mu   sync.Mutex // one change at a time; guards what follows
	cfg  Config
	seen [sha256.Size]byte // of the files last tried, good or bad
}

type state struct {
	tls   *tls.Config
	files []string // of the certificates, in their order
}

// New reads the files of cfg. Its error names the file that cannot be used.
func New(cfg Config) (*Keeper, error) {
	k := &Keeper{}
	commit, err := k.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	commit()
	return k, nil
}

// Prepare reads the files of cfg and returns what puts it in force, with its files as they are now. Its error is as that
// of New.
func (k *Keeper) Prepare(cfg Config) (commit func(), err error) {
	seen := sum(cfg.files()) // before they are read: what changes meanwhile is a change for the next look
	next, err := cfg.state()
	if err != nil {
		return nil, err
	}
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.cfg, k.seen = cfg, seen
		k.inForce.Store(next)
	}, nil
}

// Refresh looks at the files and, if their content has changed since the last look, puts them in force. Their content
// counts, not their time: that works the same for certbot's renames, for the symbolic links of a mounted Secret, and on a
// network file system. After an error, as of a certificate whose key is not there yet, the old ones stay in force, and the
// next change is tried again.
func (k *Keeper) Refresh() (changed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen := sum(k.cfg.files())
	if seen == k.seen {
		return false, nil
	}
	k.seen = seen
	next, err := k.cfg.state()
	if err != nil {
		return true, err
	}
	k.inForce.Store(next)
	return true, nil
}

func (c Config) state() (*state, error) {
	built, err := c.build()
	if err != nil {
		return nil, err
	}
	s := &state{tls: built}
	for _, p := range c.Certificates {
		s.files = append(s.files, p.CertFile)
	}
	return s, nil
}

// TLS returns the configuration for a server: each handshake works with what is in force when it begins.
func (k *Keeper) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols(),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return k.inForce.Load().tls, nil
		},
	}
}

// Expiry is when a certificate in force ends.
type Expiry struct {
	File     string
	NotAfter time.Time
}

// Expiries are those of the certificates in force, in the order of the configuration.
func (k *Keeper) Expiries() []Expiry {
	s := k.inForce.Load()
	all := make([]Expiry, 0, len(s.files))
	for i, file := range s.files {
		all = append(all, Expiry{file, s.tls.Certificates[i].Leaf.NotAfter})
	}
	return all
}

// sum is another for other contents. A file that cannot be read has its error for a content.
func sum(files []string) (s [sha256.Size]byte) {
	all := sha256.New()
	for _, file := range files {
		text, err := content(file)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(all, "%d %x\n", len(text), sha256.Sum256(text))
	}
	return [sha256.Size]byte(all.Sum(nil))
}
