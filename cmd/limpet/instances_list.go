package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// instanceQuery is what instances list was asked for; "" for all.
type instanceQuery struct{ function, qualifier string }

func listInstancesCommand(flags *clientFlags) *cobra.Command {
	var q instanceQuery
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "list [FUNCTION]",
		Short: "List the instances of a function, or of all that the key may read",
		Long: "List instances. SESSIONS are those of all replicas, and how many the instance holds at most; STATE, SINCE (how\n" +
			"long it has been in it) and IN-FLIGHT, its requests, are as the replica has them that is asked. LEFT is how long\n" +
			"sessions may stay on an instance that drains. With -o wide: also the IDs that AWS Deadline Cloud's SDKs name a\n" +
			"function and an instance by.",
		Example: "  limpet instances list counter --watch\n  limpet instances list -o wide",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkWatch(cmd, every, args); err != nil {
				return err
			}
			if err := checkNames("function", args...); err != nil {
				return err
			}
			if len(args) == 1 {
				q.function = args[0]
			}
			c, err := flags.client(cmd)
			if err != nil {
				return err
			}
			return flags.showing(cmd, every, func(ctx context.Context) (listing, error) { return flags.listInstances(ctx, c, q) })
		},
	}
	qualifierFlag(cmd, &q.qualifier, "all")
	watchFlag(cmd, &every)
	return cmd
}

// listInstances shows what of the functions q selects.
func (f *clientFlags) listInstances(ctx context.Context, c *adminClient, q instanceQuery) (listing, error) {
	list, now, err := c.listFunctions(ctx)
	if err != nil {
		return listing{}, err
	}
	list.Functions = slices.DeleteFunc(list.Functions, func(fn apiFunction) bool {
		return q.function != "" && fn.Name != q.function || q.qualifier != "" && fn.Qualifier != q.qualifier
	})
	if len(list.Functions) == 0 && q != (instanceQuery{}) {
		return listing{}, fmt.Errorf("no function %s that this key may read, see limpet instances list", q)
	}
	l := listing{value: list, head: instanceHead(f.wide())}
	for _, fn := range list.Functions {
		rows := instanceRows(fn, now)
		for i, row := range rows {
			if f.wide() {
				rows[i] = append(row, cell(list.FarmID), cell(fn.QueueID), cell(fn.JobID), cell(fn.FleetID), workerID(fn, i))
			}
		}
		l.rows = append(l.rows, rows...)
	}
	return l, nil
}

// String names what was asked for, for messages.
func (q instanceQuery) String() string {
	text := printable(q.function)
	if q.qualifier == "" {
		return text
	}
	if text != "" {
		text += " "
	}
	return text + "with qualifier " + printable(q.qualifier)
}

func instanceHead(wide bool) []string {
	head := []string{"FUNCTION", "QUALIFIER", "ID", "STATE", "SESSIONS", "IN-FLIGHT", "SINCE", "LEFT"}
	if wide {
		head = append(head, "FARM", "QUEUE", "JOB", "FLEET", "WORKER")
	}
	return head
}

// instanceRows are a function's lines in a table. One without instances has a line too: nobody answers its requests, or
// it is an alias, and then it tells its weights.
func instanceRows(fn apiFunction, now time.Time) (rows [][]string) {
	if len(fn.Instances) == 0 {
		state := "none"
		if len(fn.Versions) > 0 {
			state = "alias"
		}
		for _, v := range fn.Versions {
			state += fmt.Sprintf(" %s:%d", cell(v.Qualifier), v.Weight)
		}
		return [][]string{{cell(fn.Name), cell(fn.Qualifier), "-", state, "-", "-", "-", "-"}}
	}
	for _, i := range fn.Instances {
		since := "-"
		if t, err := time.Parse(time.RFC3339, i.Since); err == nil {
			since = roughSpan(now.Sub(t))
		}
		rows = append(rows, []string{
			cell(fn.Name), cell(fn.Qualifier), cell(i.ID), cell(i.State),
			fmt.Sprintf("%d/%d", i.Sessions, i.PerInstance), strconv.FormatInt(i.InFlight, 10), since, i.Drain.left(),
		})
	}
	return rows
}

// workerID is the ID in line i of instanceRows.
func workerID(fn apiFunction, i int) string {
	if i >= len(fn.Instances) {
		return "-"
	}
	return cell(fn.Instances[i].WorkerID)
}
