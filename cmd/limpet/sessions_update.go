package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

func updateSessionCommand(flags *clientFlags) *cobra.Command {
	var qualifier string
	var reuse bool
	var settings settingFlags
	cmd := &cobra.Command{
		Use:   "update FUNCTION ID",
		Short: "Change how long an active session lives",
		Long: "Change how long an active session lives, at once and in both directions; what no flag names stays. Its home and\n" +
			"its running requests stay too. The TTL counts from the session's creation.",
		Example: "  limpet sessions update counter alice --ttl 4h\n  limpet sessions update counter alice --idle-timeout 0 --no-reuse",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkTarget(args); err != nil {
				return err
			}
			in, err := settings.input(cmd)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("reuse") {
				refused := !reuse
				in.DisableIDReuse = &refused
			}
			if in == (sessionInput{}) {
				return errors.New("nothing to change, accepted are --ttl, --idle-timeout, --no-reuse and --reuse")
			}
			c, err := flags.client(cmd)
			if err != nil {
				return err
			}
			var s apiSession
			r := apiRequest{method: http.MethodPut, path: sessionsPath(args[0], args[1]), query: qualified(qualifier), body: in}
			header, err := c.call(cmd.Context(), r, &s)
			if err != nil {
				return fmt.Errorf("session %s of %s: %w", printable(args[1]), printable(args[0]), err)
			}
			return flags.print(cmd.OutOrStdout(), flags.oneSession(s, serverTime(header)), false)
		},
	}
	qualifierFlag(cmd, &qualifier, "LATEST")
	settings.add(cmd, "as it is")
	cmd.Flags().BoolVar(&reuse, "reuse", false, "take the ID again after the session has expired")
	cmd.MarkFlagsMutuallyExclusive("reuse", "no-reuse")
	return cmd
}
