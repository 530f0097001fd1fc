package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

// deletion is what became of one session that was to be deleted.
type deletion struct {
	Function string    `json:"functionName"`
	ID       string    `json:"sessionId"`
	Deleted  bool      `json:"deleted"`
	Error    *apiError `json:"error,omitempty"`
}

func deleteSessionsCommand(flags *clientFlags) *cobra.Command {
	var qualifier string
	cmd := &cobra.Command{
		Use:   "delete FUNCTION ID...",
		Short: "End sessions",
		Long: "End sessions: no new request of theirs goes to the old home. Of several, each is tried, also after one could not\n" +
			"be deleted; the exit status is 1 if there was such a one.",
		Example: "  limpet sessions delete counter alice bob\n" +
			"  limpet sessions list counter -o json | jq -r '.[].sessionId' | xargs limpet sessions delete counter",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkTarget(args); err != nil {
				return err
			}
			c, err := flags.client(cmd)
			if err != nil {
				return err
			}
			done, failures := c.deleteSessions(cmd.Context(), args, qualifier)
			if shown := deleted(done); flags.output == outputJSON || len(shown.rows) > 0 {
				if err := flags.print(cmd.OutOrStdout(), shown, false); err != nil {
					return err
				}
			}
			return severally(cmd, failures, len(args)-1)
		},
	}
	qualifierFlag(cmd, &qualifier, "LATEST")
	return cmd
}

// deleteSessions tries each ID of FUNCTION ID..., until ctx is done.
func (c *adminClient) deleteSessions(ctx context.Context, args []string, qualifier string) (all []deletion, failures []error) {
	all = []deletion{}
	for _, id := range args[1:] {
		d := deletion{Function: args[0], ID: id}
		_, err := c.call(ctx, apiRequest{method: http.MethodDelete, path: sessionsPath(args[0], id), query: qualified(qualifier)}, nil)
		if err != nil {
			failures = append(failures, fmt.Errorf("session %s of %s: %w", printable(id), printable(args[0]), err))
			if !errors.As(err, &d.Error) {
				d.Error = &apiError{Message: err.Error()}
			}
		}
		d.Deleted = err == nil
		all = append(all, d)
		if ctx.Err() != nil {
			break
		}
	}
	return all, failures
}

// deleted shows the sessions that are gone; the others have their errors.
func deleted(all []deletion) listing {
	l := listing{value: all, head: []string{"FUNCTION", "ID", "STATUS"}}
	for _, d := range all {
		if d.Deleted {
			l.rows = append(l.rows, []string{cell(d.Function), cell(d.ID), "Deleted"})
		}
	}
	return l
}

// severally makes one error of those of several, which it reports line by line.
func severally(cmd *cobra.Command, failures []error, of int) error {
	if len(failures) == 0 || of == 1 {
		return errors.Join(failures...) // one at most
	}
	for _, err := range failures {
		report(cmd.ErrOrStderr(), err)
	}
	return fmt.Errorf("%d of %d sessions not deleted", len(failures), of)
}
