package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/api"
)

const (
	adminEnv = "LIMPET_ADMIN"
	keyEnv   = "LIMPET_KEY"

	// defaultClientTimeout is how long one request of a terminal command may take.
	defaultClientTimeout = 30 * time.Second
	// maxSecret is how many bytes a key's secret may have; it has to fit into a header.
	maxSecret = 16 << 10
)

// The values of --output.
const (
	outputTable = "table"
	outputWide  = "wide"
	outputJSON  = "json"
)

// clientFlags are the flags of all commands that ask a running limpet serve.
type clientFlags struct {
	admin, keyFile, output string
	timeout                time.Duration
}

// add makes them flags of cmd and of the commands below it.
func (f *clientFlags) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.admin, "admin", "",
		"`URL` or host:port of the admin listener (default: $"+adminEnv+", else http://"+api.DefaultAdmin+")")
	flags.StringVar(&f.keyFile, "key-file", "", "`FILE` with the secret of a key (default: the secret in $"+keyEnv+")")
	flags.StringVarP(&f.output, "output", "o", outputTable, "output in this `FORMAT`: table, wide or json")
	flags.DurationVar(&f.timeout, "timeout", defaultClientTimeout, "how long one request may take")
}

// client checks the flags and returns a client for them. A flag goes before its environment variable.
func (f *clientFlags) client(cmd *cobra.Command) (*adminClient, error) {
	if !slices.Contains([]string{outputTable, outputWide, outputJSON}, f.output) {
		return nil, fmt.Errorf("--output: %q, accepted are table, wide and json", f.output)
	}
	if f.timeout <= 0 {
		return nil, fmt.Errorf("--timeout: %v, accepted is more than 0", f.timeout)
	}
	base, err := f.base(cmd.Flags().Changed("admin"))
	if err != nil {
		return nil, err
	}
	c := &adminClient{base: base, timeout: f.timeout, http: &http.Client{Transport: newTransport(), CheckRedirect: notFollowed}}
	c.secret, c.keyNamed, err = f.secret(cmd.Flags().Changed("key-file"))
	return c, err
}

func (f *clientFlags) base(given bool) (string, error) {
	switch env := os.Getenv(adminEnv); {
	case given:
		return adminURL("--admin", f.admin)
	case env != "":
		return adminURL(adminEnv, env)
	default:
		return "http://" + api.DefaultAdmin, nil
	}
}

// adminURL returns the URL that a user means by a URL or host:port, without a slash at its end.
func adminURL(named, text string) (string, error) {
	bad := func(problem string) (string, error) {
		// The text is not shown: a URL may hold a password.
		return "", fmt.Errorf("%s: %s, accepted are a URL such as http://%s and host:port", named, problem, api.DefaultAdmin)
	}
	if !strings.Contains(text, "://") {
		if host, port, err := net.SplitHostPort(text); err != nil || host == "" || port == "" {
			return bad("neither a URL nor host:port")
		}
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "":
		return bad("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return bad("not a URL with http or https")
	case u.User != nil:
		return bad("a URL with a user: a key is given by --key-file or " + keyEnv)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return bad("a URL with a query or fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// secret returns the secret of the key, if one is given, and where it was found.
func (f *clientFlags) secret(given bool) (secret, named string, err error) {
	named = keyEnv
	secret = os.Getenv(keyEnv)
	if given {
		named = "--key-file " + f.keyFile
		if secret, err = readKeyFile(f.keyFile); err != nil {
			return "", named, fmt.Errorf("--key-file: %w", err)
		}
	}
	secret = cutLineEnd(secret)
	switch {
	case secret == "" && given:
		return "", named, fmt.Errorf("%s is empty", named)
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", named, fmt.Errorf("%s holds a line end or another control character, accepted is one line: the secret", named)
	}
	return secret, named, nil
}

func readKeyFile(name string) (string, error) {
	if name == "" {
		return "", errors.New("no file is named")
	}
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = fmt.Errorf("%s is longer than %d KiB, which no secret is", name, maxSecret>>10)
	}
	return string(text), err
}

// cutLineEnd takes away the one line end that limpet serve does not count as part of a secret either.
func cutLineEnd(secret string) string {
	if line, ok := strings.CutSuffix(secret, "\n"); ok {
		return strings.TrimSuffix(line, "\r")
	}
	return secret
}
