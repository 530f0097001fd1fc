package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

func getSessionCommand(flags *clientFlags) *cobra.Command {
	var qualifier string
	cmd := &cobra.Command{
		Use:     "get FUNCTION ID",
		Short:   "Show an active session",
		Example: "  limpet sessions get counter alice\n  limpet sessions get counter alice -o json | jq -r .containerId",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkTarget(args); err != nil {
				return err
			}
			c, err := flags.client(cmd)
			if err != nil {
				return err
			}
			var s apiSession
			r := apiRequest{method: http.MethodGet, path: sessionsPath(args[0], args[1]), query: qualified(qualifier)}
			header, err := c.call(cmd.Context(), r, &s)
			if err != nil {
				return fmt.Errorf("session %s of %s: %w", printable(args[1]), printable(args[0]), err)
			}
			return flags.print(cmd.OutOrStdout(), flags.oneSession(s, serverTime(header)), false)
		},
	}
	qualifierFlag(cmd, &qualifier, "LATEST")
	return cmd
}
