package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/api"
)

// drainedInstance is the answer of the operations on one instance, as the store has it.
type drainedInstance struct {
	Function  string    `json:"function"`
	Qualifier string    `json:"qualifier"`
	ID        string    `json:"id"`
	State     string    `json:"state"`
	Sessions  int64     `json:"sessions"`
	InFlight  int64     `json:"inFlight"` // requests of the replica that was asked
	Drain     *apiDrain `json:"drain,omitempty"`
}

// target is one instance of one function.
type target struct{ function, id, qualifier string }

func (t target) String() string {
	return "instance " + printable(t.id) + " of " + printable(t.function)
}

// call asks for an operation on the instance; r.path says on what of it.
func (t target) call(ctx context.Context, c *adminClient, r apiRequest) (i drainedInstance, err error) {
	r.path = functionsPath + "/" + url.PathEscape(t.function) + "/instances/" + url.PathEscape(t.id) + r.path
	r.query = qualified(t.qualifier)
	if _, err = c.call(ctx, r, &i); err == nil && i.ID == "" {
		err = fmt.Errorf("%s answered without an instance: %s", c.base, wrongListener)
	}
	if err != nil {
		err = fmt.Errorf("%v: %w", t, err)
	}
	return i, err
}

// onTarget makes a command of what is done with FUNCTION ID.
func onTarget(cmd *cobra.Command, flags *clientFlags, run func(*adminClient, target) error) *cobra.Command {
	var qualifier string
	cmd.Args = cobra.ExactArgs(2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkNames("function", args[0]); err != nil {
			return err
		}
		if err := checkNames("instance", args[1]); err != nil {
			return err
		}
		c, err := flags.client(cmd)
		if err != nil {
			return err
		}
		return run(c, target{args[0], args[1], qualifier})
	}
	qualifierFlag(cmd, &qualifier, "LATEST")
	return cmd
}

func drainInstanceCommand(flags *clientFlags) *cobra.Command {
	var deadline time.Duration
	var wait bool
	cmd := &cobra.Command{
		Use:   "drain FUNCTION ID",
		Short: "Let no new session begin on an instance",
		Long: "Drain an instance: new sessions go elsewhere, those that it has stay until the deadline. Those left then are moved,\n" +
			"or ended, as the function's on_instance_loss says, and their running requests are cut. It holds for all replicas,\n" +
			"and until it is taken back or another program answers at the place. Drained again it gets the new deadline.\n" +
			"With --wait: until no session is left; the exit status is 1 if it drains no more before that.",
		Example: "  limpet instances drain counter a --deadline 1h\n  limpet instances drain counter a --wait && systemctl restart counter-a",
	}
	cmd.Flags().DurationVar(&deadline, "deadline", 0, "how long sessions may stay (default: the function's drain_deadline)")
	cmd.Flags().BoolVar(&wait, "wait", false, "show what is left, and return when nothing is")
	return onTarget(cmd, flags, func(c *adminClient, t target) error {
		r := apiRequest{method: http.MethodPut, path: "/drain"}
		if cmd.Flags().Changed("deadline") {
			if deadline < 0 || deadline > api.MaxDrainDeadline {
				return fmt.Errorf("--deadline: %v, accepted are 0s to %v", deadline, api.MaxDrainDeadline)
			}
			r.body = map[string]string{"deadline": deadline.String()}
		}
		i, err := t.call(cmd.Context(), c, r)
		if err != nil {
			return err
		}
		if !wait {
			return flags.print(cmd.OutOrStdout(), oneInstance(i), false)
		}
		w := newDrainWait(cmd, flags.output == outputJSON)
		return untilSignal(cmd.Context(), func(ctx context.Context) error {
			return w.run(ctx, i, func(ctx context.Context) (drainedInstance, error) {
				return t.call(ctx, c, apiRequest{method: http.MethodGet})
			})
		})
	})
}

func undrainInstanceCommand(flags *clientFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "undrain FUNCTION ID",
		Short: "Take a drain back: new sessions may begin on the instance again",
		Long: "Take a drain back: new sessions may begin on the instance again, and those that it has stay. What has left it does\n" +
			"not come back. Of an instance that does not drain it changes nothing.",
		Example: "  limpet instances undrain counter a",
	}
	return onTarget(cmd, flags, func(c *adminClient, t target) error {
		i, err := t.call(cmd.Context(), c, apiRequest{method: http.MethodDelete, path: "/drain"})
		if err != nil {
			return err
		}
		return flags.print(cmd.OutOrStdout(), oneInstance(i), false)
	})
}

func oneInstance(i drainedInstance) listing {
	return listing{
		value: i, head: []string{"FUNCTION", "QUALIFIER", "ID", "STATE", "SESSIONS", "IN-FLIGHT", "LEFT"},
		rows: [][]string{{
			cell(i.Function), cell(i.Qualifier), cell(i.ID), cell(i.State), strconv.FormatInt(i.Sessions, 10),
			strconv.FormatInt(i.InFlight, 10), i.Drain.left(),
		}},
	}
}
