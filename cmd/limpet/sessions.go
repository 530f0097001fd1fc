package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

func sessionsCommand() *cobra.Command {
	flags := &clientFlags{}
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List, read, make, change and end sessions of a running limpet serve",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.add(cmd)
	cmd.AddCommand(listSessionsCommand(flags), getSessionCommand(flags), createSessionCommand(flags),
		updateSessionCommand(flags), deleteSessionsCommand(flags))
	return cmd
}

// apiSession is a session as Function Compute's API has it.
type apiSession struct {
	ID             string `json:"sessionId"`
	Function       string `json:"functionName"`
	Qualifier      string `json:"qualifier"`
	Affinity       string `json:"sessionAffinityType"`
	TTL            int64  `json:"sessionTTLInSeconds"`
	IdleTimeout    int64  `json:"sessionIdleTimeoutInSeconds"` // 0: no idle limit
	Created        string `json:"createdTime"`
	Modified       string `json:"lastModifiedTime"`
	Status         string `json:"sessionStatus"`
	Instance       string `json:"containerId"`
	DisableIDReuse bool   `json:"disableSessionIdReuse"`

	raw json.RawMessage // all that the server said
}

// statusActive is the sessionStatus of a session that is routed.
const statusActive = "Active"

// errNoSession is for JSON that is not a session.
var errNoSession = errors.New("no session in the answer")

// UnmarshalJSON keeps what the server said, for MarshalJSON.
func (s *apiSession) UnmarshalJSON(text []byte) error {
	type plain apiSession // without this method
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	if s.ID == "" {
		return errNoSession
	}
	s.raw = bytes.Clone(text)
	return nil
}

// MarshalJSON returns what the server said: also fields that this program does not know.
func (s apiSession) MarshalJSON() ([]byte, error) { return s.raw, nil }

// sessionHead is the first line of a table of sessions.
func sessionHead(wide bool) []string {
	head := []string{"FUNCTION", "QUALIFIER", "ID", "INSTANCE", "STATUS", "AGE", "TTL-LEFT", "IDLE-LIMIT"}
	if wide {
		head = append(head, "TTL", "AFFINITY", "ID-REUSE", "CREATED", "MODIFIED")
	}
	return head
}

// row is the session's line in a table. now is by the server's clock.
func (s apiSession) row(now time.Time, wide bool) []string {
	age, left, ttl := "-", "-", inSeconds(s.TTL)
	if created, err := time.Parse(time.RFC3339, s.Created); err == nil {
		age = roughSpan(now.Sub(created))
		if s.Status == statusActive {
			left = roughSpan(created.Add(ttl).Sub(now))
		}
	}
	idle := "none"
	if s.IdleTimeout != 0 {
		idle = exactSpan(inSeconds(s.IdleTimeout))
	}
	row := []string{cell(s.Function), cell(s.Qualifier), cell(s.ID), cell(s.Instance), cell(s.Status), age, left, idle}
	if wide {
		reuse := "allowed"
		if s.DisableIDReuse {
			reuse = "refused"
		}
		row = append(row, exactSpan(ttl), cell(s.Affinity), reuse, cell(s.Created), cell(s.Modified))
	}
	return row
}

// oneSession shows a session by itself: in JSON an object, not an array.
func (f *clientFlags) oneSession(s apiSession, now time.Time) listing {
	return listing{value: s, head: sessionHead(f.wide()), rows: [][]string{s.row(now, f.wide())}}
}

// serverTime is when the server answered, by its own clock, which the times of sessions are of too, or nearly so.
func serverTime(h http.Header) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return time.Now()
}

// qualified is the query of a call for one qualifier; "" is the server's choice.
func qualified(qualifier string) url.Values {
	q := url.Values{}
	if qualifier != "" {
		q.Set("qualifier", qualifier)
	}
	return q
}

func qualifierFlag(cmd *cobra.Command, qualifier *string, without string) {
	cmd.Flags().StringVarP(qualifier, "qualifier", "q", "", "`VERSION` or alias of the function (default: "+without+")")
}

// checkNames refuses what would be another path: an empty segment, or one that a proxy on the way resolves.
func checkNames(what string, names ...string) error {
	for _, name := range names {
		if name == "" || name == "." || name == ".." {
			return fmt.Errorf("%q is no %s", name, what)
		}
	}
	return nil
}

// checkTarget checks the arguments FUNCTION ID...
func checkTarget(args []string) error {
	if err := checkNames("function", args[0]); err != nil {
		return err
	}
	return checkNames("session ID", args[1:]...)
}

// wholeSeconds is a flag's span as the API can say it. It implements pflag.Value.
type wholeSeconds struct{ n *int64 }

// Set reads a span such as 1h30m.
func (w *wholeSeconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return errors.New("not a span such as 90s or 1h30m")
	case d < 0:
		return fmt.Errorf("%v is below 0", d)
	case d%time.Second != 0:
		return fmt.Errorf("%v is not a whole number of seconds, which the session API counts in", d)
	}
	n := int64(d / time.Second)
	w.n = &n
	return nil
}

// String returns "" where the flag is not given: then nothing is sent.
func (w *wholeSeconds) String() string {
	if w.n == nil {
		return ""
	}
	return exactSpan(inSeconds(*w.n))
}

// Type names the value in the help text.
func (w *wholeSeconds) Type() string { return "duration" }
