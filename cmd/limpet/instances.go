package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func instancesCommand() *cobra.Command {
	flags := &clientFlags{}
	cmd := &cobra.Command{
		Use:   "instances",
		Short: "List and drain the instances of a running limpet serve",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.add(cmd)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return notSibling("instance", cmd, err) })
	cmd.AddCommand(listInstancesCommand(flags), drainInstanceCommand(flags), undrainInstanceCommand(flags))
	return cmd
}

// functionList is the answer of functionsPath. The IDs are those that name things in AWS Deadline Cloud's dialect.
type functionList struct {
	Deployment string        `json:"deployment"`
	FarmID     string        `json:"farmId"`
	Functions  []apiFunction `json:"functions"` // nil where the answer is something else
}

type apiFunction struct {
	Name      string        `json:"name"`
	Qualifier string        `json:"qualifier"`
	Affinity  string        `json:"affinity"`
	QueueID   string        `json:"queueId"`
	JobID     string        `json:"jobId"`
	FleetID   string        `json:"fleetId"`
	Instances []apiInstance `json:"instances"`
	Versions  []apiVersion  `json:"versions,omitempty"` // of an alias, whose instances are theirs
}

type apiVersion struct {
	Qualifier string  `json:"qualifier"`
	Weight    int64   `json:"weight"`
	Share     float64 `json:"share"` // of new sessions, as the replica sees it that was asked
	Instances int64   `json:"instances"`
	Ready     int64   `json:"ready"`
	Sessions  int64   `json:"sessions"` // on its instances, whichever way they came
}

type apiInstance struct {
	ID          string `json:"id"`
	WorkerID    string `json:"workerId"`
	State       string `json:"state"` // as the replica sees it that was asked
	Since       string `json:"since,omitempty"`
	Sessions    int64  `json:"sessions"`
	PerInstance int64  `json:"perInstance"`
	InFlight    int64  `json:"inFlight"` // requests of the replica that was asked

	Drain *apiDrain `json:"drain,omitempty"`
}

// apiDrain is there for an instance that drains.
type apiDrain struct {
	Since       string `json:"since,omitempty"`
	Deadline    string `json:"deadline"`
	SecondsLeft int64  `json:"secondsLeft"` // 0: the deadline has passed
}

// left is how long sessions may stay, for a table.
func (d *apiDrain) left() string {
	switch {
	case d == nil:
		return "-"
	case d.SecondsLeft <= 0:
		return "over"
	default:
		return roughSpan(inSeconds(d.SecondsLeft))
	}
}

// listFunctions returns the functions that the key may read, and when the server listed them.
func (c *adminClient) listFunctions(ctx context.Context) (list functionList, now time.Time, err error) {
	header, err := c.call(ctx, apiRequest{method: http.MethodGet, path: functionsPath}, &list)
	if err == nil && list.Functions == nil {
		err = fmt.Errorf("%s answered without a list of functions: %s", c.base, wrongListener)
	}
	return list, serverTime(header), err
}
