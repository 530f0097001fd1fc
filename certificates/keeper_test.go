package certificates_test

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/certificates"
	"github.com/limpet-proxy/limpet/certificates/certtest"
)

// listen echoes over TLS until the end of the test.
func listen(t *testing.T, k *certificates.Keeper) (addr string) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", k.TLS())
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c) //nolint:errcheck // the client sees it
			}()
		}
	}()
	return l.Addr().String()
}

// shows connects and returns the name in the certificate that the server shows.
func shows(t *testing.T, addr string, cfg *tls.Config) (string, *tls.Conn) {
	t.Helper()
	c, err := tls.Dial("tcp", addr, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	ping(t, c)
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName, c
}

func ping(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := c.Write([]byte("ping"))
	require.NoError(t, err)
	_, err = io.ReadFull(c, make([]byte, 4))
	require.NoError(t, err)
}

// config is the pair's, and nothing else.
func config(pairs ...certtest.Issued) certificates.Config {
	c := certificates.DefaultConfig()
	for _, p := range pairs {
		c.Certificates = append(c.Certificates, certificates.Pair{CertFile: p.CertFile, KeyFile: p.KeyFile})
	}
	return c
}

func replace(t *testing.T, file, by string) {
	t.Helper()
	text, err := os.ReadFile(by)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file+".new", text, 0o600))
	require.NoError(t, os.Rename(file+".new", file))
}

func TestTheServerNameChooses(t *testing.T) {
	ca := certtest.New(t, "ca")
	first, second := ca.Issue(time.Time{}, "first.example"), ca.Issue(time.Time{}, "second.example", "*.second.example")
	k, err := certificates.New(config(first, second))
	require.NoError(t, err)
	addr := listen(t, k)
	for asked, want := range map[string]string{
		"first.example": "first.example", "second.example": "second.example", "a.second.example": "second.example",
		"unknown.example": "first.example", "": "first.example",
	} {
		name, c := shows(t, addr, &tls.Config{ServerName: asked, InsecureSkipVerify: true})
		require.Equal(t, want, name, asked)
		require.Equal(t, uint16(tls.VersionTLS13), c.ConnectionState().Version)
	}
}

func TestVersions(t *testing.T) {
	ca := certtest.New(t, "ca")
	own := ca.Issue(time.Time{}, "own")
	for min, refused := range map[certificates.Version]uint16{certificates.TLS12: tls.VersionTLS11, certificates.TLS13: tls.VersionTLS12} {
		cfg := config(own)
		cfg.MinVersion = min
		k, err := certificates.New(cfg)
		require.NoError(t, err)
		addr := listen(t, k)
		_, err = tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: refused})
		require.Error(t, err, min)
		shows(t, addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: refused + 1})
	}
}

// A certificate is renewed in two steps, between which key and certificate do not belong together. Clients connect all
// the while, and those that are connected notice nothing.
func TestRenewal(t *testing.T) {
	ca := certtest.New(t, "ca")
	old, renewed := ca.Issue(time.Time{}, "old"), ca.Issue(time.Now().Add(48*time.Hour), "renewed")
	k, err := certificates.New(config(old))
	require.NoError(t, err)
	addr, client := listen(t, k), &tls.Config{InsecureSkipVerify: true}
	changed, err := k.Refresh()
	require.NoError(t, err)
	require.False(t, changed)
	_, open := shows(t, addr, client)

	stop, failed := make(chan struct{}), make(chan error, 1)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				c, err := tls.Dial("tcp", addr, client)
				if err == nil {
					err = c.Close()
				}
				if err != nil {
					failed <- err
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	replace(t, old.CertFile, renewed.CertFile)
	changed, err = k.Refresh()
	require.True(t, changed)
	require.ErrorContains(t, err, old.KeyFile+" with "+old.CertFile)
	changed, err = k.Refresh()
	require.NoError(t, err, "told once")
	require.False(t, changed)
	name, _ := shows(t, addr, client)
	require.Equal(t, "old", name)

	replace(t, old.KeyFile, renewed.KeyFile)
	changed, err = k.Refresh()
	require.NoError(t, err)
	require.True(t, changed)
	name, _ = shows(t, addr, client)
	require.Equal(t, "renewed", name)
	require.WithinDuration(t, time.Now().Add(48*time.Hour), k.Expiries()[0].NotAfter, time.Minute)
	require.Equal(t, old.CertFile, k.Expiries()[0].File)
	close(stop)
	all.Wait()
	require.Empty(t, failed)
	ping(t, open)
}

// Kubernetes and certbot replace symbolic links.
func TestRenewalBehindSymbolicLinks(t *testing.T) {
	ca := certtest.New(t, "ca")
	old, renewed := ca.Issue(time.Time{}, "old"), ca.Issue(time.Time{}, "renewed")
	dir := t.TempDir()
	data := filepath.Join(dir, "..data")
	require.NoError(t, os.Symlink(filepath.Dir(old.CertFile), data))
	cfg := certificates.DefaultConfig()
	cfg.Certificates = []certificates.Pair{{CertFile: filepath.Join(data, "tls.crt"), KeyFile: filepath.Join(data, "tls.key")}}
	k, err := certificates.New(cfg)
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Dir(renewed.CertFile), data+"_tmp"))
	require.NoError(t, os.Rename(data+"_tmp", data))
	changed, err := k.Refresh()
	require.NoError(t, err)
	require.True(t, changed)
	name, _ := shows(t, listen(t, k), &tls.Config{InsecureSkipVerify: true})
	require.Equal(t, "renewed", name)
}

func TestFilesThatGoAndComeBack(t *testing.T) {
	own := certtest.New(t, "ca").Issue(time.Time{}, "own")
	k, err := certificates.New(config(own))
	require.NoError(t, err)
	require.NoError(t, os.Rename(own.KeyFile, own.KeyFile+".away"))
	changed, err := k.Refresh()
	require.True(t, changed)
	require.ErrorContains(t, err, own.KeyFile+" cannot be read: no such file or directory")
	shows(t, listen(t, k), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, os.Rename(own.KeyFile+".away", own.KeyFile))
	changed, err = k.Refresh()
	require.NoError(t, err)
	require.True(t, changed)
}

// A client that was let in by an authority is not, by a ticket, when the authority is another.
func TestClientAuthoritiesAreReplaced(t *testing.T) {
	ca, next := certtest.New(t, "ca"), certtest.New(t, "next")
	alice := ca.Issue(time.Time{}, "alice")
	cfg := config(ca.Issue(time.Time{}, "own"))
	cfg.ClientAuth, cfg.ClientCAFile = certificates.AuthRequired, ca.File
	k, err := certificates.New(cfg)
	require.NoError(t, err)
	addr := listen(t, k)
	client := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1), Certificates: []tls.Certificate{alice.TLS}}
	shows(t, addr, client)
	shows(t, addr, client)
	replace(t, ca.File, next.File)
	_, err = k.Refresh()
	require.NoError(t, err)
	c, err := tls.Dial("tcp", addr, client)
	if err == nil { // in TLS 1.3 the server's verdict comes with the first read
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	require.Error(t, err)
}

// What is prepared has no effect before it is put in force.
func TestPrepare(t *testing.T) {
	ca := certtest.New(t, "ca")
	one, two := ca.Issue(time.Time{}, "one"), ca.Issue(time.Time{}, "two")
	k, err := certificates.New(config(one))
	require.NoError(t, err)
	addr := listen(t, k)
	_, err = k.Prepare(config(one, certtest.Issued{CertFile: "missing", KeyFile: "missing"}))
	require.ErrorContains(t, err, "missing cannot be read")
	commit, err := k.Prepare(config(two))
	require.NoError(t, err)
	name, _ := shows(t, addr, &tls.Config{InsecureSkipVerify: true})
	require.Equal(t, "one", name)
	commit()
	name, _ = shows(t, addr, &tls.Config{InsecureSkipVerify: true})
	require.Equal(t, "two", name)
}
