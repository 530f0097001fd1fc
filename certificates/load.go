package certificates

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxFile is the size in bytes of the largest file that is read: thousands of certificates.
const maxFile = 8 << 20

// protocols are what a client may choose from by ALPN (RFC 7301), the first first.
func protocols() []string { return []string{"h2", "http/1.1"} }

// build reads the files and makes what a listener works with.
func (c Config) build() (*tls.Config, error) {
	kind, known := c.ClientAuth.kind()
	built := &tls.Config{MinVersion: c.MinVersion.number(), ClientAuth: kind, NextProtos: protocols()}
	if !known || built.MinVersion == 0 || len(c.Certificates) == 0 {
		return nil, errors.New("certificates: the configuration is not valid")
	}
	for _, p := range c.Certificates {
		cert, wrong := p.load()
		if wrong != nil {
			return nil, wrong
		}
		built.Certificates = append(built.Certificates, cert)
	}
	if c.ClientAuth == AuthNone {
		return built, nil
	}
	// A ticket would carry the old verdict on the client over a change of the CAs.
	built.SessionTicketsDisabled = true
	pool, wrong := loadCAs(c.ClientCAFile)
	if wrong != nil {
		return nil, wrong
	}
	built.ClientCAs = pool
	return built, nil
}

func (p Pair) load() (tls.Certificate, *problem) {
	const accepted = "accepted is a file with a certificate in PEM, the intermediate ones after it"
	cert, wrong := read("cert_file", p.CertFile, accepted)
	if wrong != nil {
		return tls.Certificate{}, wrong
	}
	if err := parse(cert, func(*x509.Certificate) {}); err != nil {
		return tls.Certificate{}, &problem{"cert_file", fmt.Sprintf("%s: %v, %s", p.CertFile, err, accepted)}
	}
	key, wrong := read("key_file", p.KeyFile, "accepted is a file with the certificate's private key in PEM")
	if wrong != nil {
		return tls.Certificate{}, wrong
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, &problem{"key_file", fmt.Sprintf("%s with %s: %v, accepted is the private key of the certificate, without a passphrase", p.KeyFile, p.CertFile, err)}
	}
	return pair, nil
}

func loadCAs(file string) (*x509.CertPool, *problem) {
	const key, accepted = "client_ca_file", "accepted is a file with certificates in PEM"
	text, wrong := read(key, file, accepted)
	if wrong != nil {
		return nil, wrong
	}
	pool := x509.NewCertPool()
	if err := parse(text, pool.AddCert); err != nil {
		return nil, &problem{key, fmt.Sprintf("%s: %v, %s", file, err, accepted)}
	}
	return pool, nil
}

// parse calls each with every certificate of a file in PEM, of which there has to be one. What x509 leaves out in silence,
// such as one that is broken, is an error.
func parse(text []byte, each func(*x509.Certificate)) error {
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		found = true
		each(cert)
	}
	if !found {
		return errors.New("holds no certificate in PEM")
	}
	return nil
}

func read(key, file, accepted string) ([]byte, *problem) {
	if file == "" {
		return nil, &problem{key, "is missing, " + accepted}
	}
	text, err := content(file)
	if err != nil {
		var of *fs.PathError
		if errors.As(err, &of) {
			err = of.Err
		}
		return nil, &problem{key, fmt.Sprintf("%s cannot be read: %v, %s", file, err, accepted)}
	}
	return text, nil
}

// content is the file's, of which an endless one has no more than maxFile.
func content(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read from
	var text bytes.Buffer
	if _, err := io.Copy(&text, io.LimitReader(f, maxFile+1)); err != nil {
		return nil, err
	}
	if text.Len() > maxFile {
		return nil, fmt.Errorf("is larger than %d MiB", maxFile>>20)
	}
	return text.Bytes(), nil
}
