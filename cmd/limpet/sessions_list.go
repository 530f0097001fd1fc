package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// sessionPage is how many sessions the terminal asks for at once.
const sessionPage = 100

// sessionStatuses are the values of --status, with the API's.
var sessionStatuses = map[string]string{"active": statusActive, "expired": "Expired", "all": ""}

// sessionQuery is what sessions list was asked for.
type sessionQuery struct {
	function, qualifier, status, id string // "" for all
	limit                           int    // 0: all
}

func listSessionsCommand(flags *clientFlags) *cobra.Command {
	var q sessionQuery
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "list [FUNCTION]",
		Short: "List sessions of a function, or of all that the key may read",
		Long: "List sessions, by qualifier and from old to young. Without FUNCTION: of every function that the key may read.\n\n" +
			"TTL-LEFT is the time until the session ends in any case; it ends earlier when it is not used for IDLE-LIMIT.",
		Example: "  limpet sessions list counter --watch\n  limpet sessions list -o json | jq -r '.[].sessionId'",
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
			if err := q.check(cmd); err != nil {
				return err
			}
			c, err := flags.client(cmd)
			if err != nil {
				return err
			}
			return flags.showing(cmd, every, func(ctx context.Context) (listing, error) { return flags.listSessions(ctx, c, q) })
		},
	}
	qualifierFlag(cmd, &q.qualifier, "all")
	cmd.Flags().StringVar(&q.status, "status", "", "sessions of this `STATUS`: active, expired or all (default: active; with --id all)")
	cmd.Flags().StringVar(&q.id, "id", "", "every session that has, or had, this `ID`")
	cmd.Flags().IntVar(&q.limit, "limit", 0, "list `N` sessions at most (default: all)")
	watchFlag(cmd, &every)
	return cmd
}

// check puts the API's word for the status in place.
func (q *sessionQuery) check(cmd *cobra.Command) error {
	if cmd.Flags().Changed("limit") && q.limit < 1 {
		return fmt.Errorf("--limit: %d, accepted is 1 or more", q.limit)
	}
	switch {
	case cmd.Flags().Changed("status"):
	case q.id != "":
		q.status = "all"
	default:
		q.status = "active"
	}
	status, ok := sessionStatuses[strings.ToLower(q.status)] // its own table shows them in capitals
	if !ok {
		return fmt.Errorf("--status: %q, accepted are active, expired and all", q.status)
	}
	q.status = status
	return nil
}

func (f *clientFlags) listSessions(ctx context.Context, c *adminClient, q sessionQuery) (listing, error) {
	all, now, err := c.listSessions(ctx, q)
	if err != nil {
		return listing{}, err
	}
	l := listing{value: all, head: sessionHead(f.wide())}
	for _, s := range all {
		l.rows = append(l.rows, s.row(now, f.wide()))
	}
	return l, nil
}

// listSessions returns the sessions, never nil, and when the server listed them.
func (c *adminClient) listSessions(ctx context.Context, q sessionQuery) (all []apiSession, now time.Time, err error) {
	all, now = []apiSession{}, time.Now()
	names := []string{q.function}
	if q.function == "" {
		if names, err = c.functionsWithSessions(ctx, q.qualifier); err != nil {
			return nil, now, err
		}
	}
	for _, name := range names {
		each := q
		each.function = name
		if all, now, err = c.walkSessions(ctx, each, all); err != nil {
			if q.function == "" && isCode(err, string(dialects.CodeFunctionNotFound)) {
				continue // a reload took it away since it was listed
			}
			return nil, now, fmt.Errorf("function %s: %w", printable(name), err)
		}
		if q.limit > 0 && len(all) >= q.limit {
			break
		}
	}
	return all, now, nil
}

// functionsWithSessions names the functions that have the qualifier, "" for any, and whose affinity makes sessions.
func (c *adminClient) functionsWithSessions(ctx context.Context, qualifier string) (names []string, err error) {
	list, _, err := c.listFunctions(ctx)
	for _, fn := range list.Functions {
		fits := qualifier == "" || fn.Qualifier == qualifier
		if fits && fn.Affinity != string(sessions.AffinityNone) && !slices.Contains(names, fn.Name) {
			names = append(names, fn.Name)
		}
	}
	return names, err
}

// sessionList is a page of ListSessions. Sessions is nil where the answer is something else.
type sessionList struct {
	Sessions  *[]apiSession `json:"sessions"`
	NextToken string        `json:"nextToken"`
}

// walkSessions appends the sessions of q.function to found, page by page, and stops at q.limit.
func (c *adminClient) walkSessions(ctx context.Context, q sessionQuery, found []apiSession) ([]apiSession, time.Time, error) {
	query := q.values()
	for {
		size := sessionPage
		if q.limit > 0 {
			size = min(size, q.limit-len(found))
		}
		query.Set("limit", strconv.Itoa(size))
		var page sessionList
		header, err := c.call(ctx, apiRequest{method: http.MethodGet, path: sessionsPath(q.function, ""), query: query}, &page)
		now := serverTime(header)
		switch {
		case err != nil:
			return found, now, err
		case page.Sessions == nil:
			return found, now, fmt.Errorf("%s answered without a list of sessions: %s", c.base, wrongListener)
		}
		found = append(found, *page.Sessions...)
		if q.limit > 0 && len(found) >= q.limit {
			return found[:q.limit], now, nil
		}
		switch page.NextToken {
		case "":
			return found, now, nil
		case query.Get("nextToken"):
			return found, now, fmt.Errorf("%s gave the same page twice", c.base)
		}
		query.Set("nextToken", page.NextToken)
	}
}

func (q sessionQuery) values() url.Values {
	v := qualified(q.qualifier)
	if q.status != "" {
		v.Set("sessionStatus", q.status)
	}
	if q.id != "" {
		v.Set("sessionId", q.id)
	}
	return v
}
