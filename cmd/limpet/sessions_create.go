package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

// sessionInput is the body of CreateSession and UpdateSession. What is nil is not sent: the server chooses it, or
// leaves it as it is.
type sessionInput struct {
	ID             string `json:"sessionId,omitempty"`
	TTL            *int64 `json:"sessionTTLInSeconds,omitempty"`
	IdleTimeout    *int64 `json:"sessionIdleTimeoutInSeconds,omitempty"`
	DisableIDReuse *bool  `json:"disableSessionIdReuse,omitempty"`
}

// settingFlags are the flags of a session's settings.
type settingFlags struct {
	ttl, idle wholeSeconds
	noReuse   bool
}

func (f *settingFlags) add(cmd *cobra.Command, without string) {
	cmd.Flags().Var(&f.ttl, "ttl", "how long the session lives (default: "+without+")")
	cmd.Flags().Var(&f.idle, "idle-timeout", "how long it lives without a request, 0 for no such limit (default: "+without+")")
	cmd.Flags().BoolVar(&f.noReuse, "no-reuse", false, "refuse the ID for three days after the session has expired")
}

// input is what the flags that were given say.
func (f *settingFlags) input(cmd *cobra.Command) (in sessionInput, err error) {
	if f.ttl.n != nil && *f.ttl.n == 0 {
		return in, errors.New("--ttl: 0s, accepted is 1s or more")
	}
	in.TTL, in.IdleTimeout = f.ttl.n, f.idle.n
	if cmd.Flags().Changed("no-reuse") {
		in.DisableIDReuse = &f.noReuse
	}
	return in, nil
}

func createSessionCommand(flags *clientFlags) *cobra.Command {
	var qualifier, id string
	var settings settingFlags
	cmd := &cobra.Command{
		Use:   "create FUNCTION",
		Short: "Make a session, with its home, before the first request",
		Long: "Make a session: when the command ends, the session has its home, where its requests will go. If the server gives\n" +
			"a cookie for it, the cookie is shown on stderr.",
		Example: "  limpet sessions create counter --id alice --ttl 1h --idle-timeout 10m\n" +
			"  ID=$(limpet sessions create counter -o json | jq -r .sessionId)",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkNames("function", args[0]); err != nil {
				return err
			}
			in, err := settings.input(cmd)
			if err != nil {
				return err
			}
			if in.ID = id; id == "" && cmd.Flags().Changed("id") {
				return errors.New("--id: empty, to let the server choose leave it out")
			}
			c, err := flags.client(cmd)
			if err != nil {
				return err
			}
			var s apiSession
			r := apiRequest{method: http.MethodPost, path: sessionsPath(args[0], ""), query: qualified(qualifier), body: in}
			header, err := c.call(cmd.Context(), r, &s)
			if err != nil {
				return fmt.Errorf("function %s: %w", printable(args[0]), err)
			}
			for _, cookie := range header.Values("Set-Cookie") {
				fmt.Fprintln(cmd.ErrOrStderr(), "Set-Cookie:", printable(cookie))
			}
			return flags.print(cmd.OutOrStdout(), flags.oneSession(s, serverTime(header)), false)
		},
	}
	qualifierFlag(cmd, &qualifier, "LATEST")
	cmd.Flags().StringVar(&id, "id", "", "the session's `ID`, for a function with HEADER_FIELD (default: the server makes one)")
	settings.add(cmd, "the function's")
	return cmd
}
