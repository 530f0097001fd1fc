package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sample"
)

// maxInstanceName is how many bytes a sample instance's name and start nonce may have: what Limpet takes of a nonce.
const maxInstanceName = 128

// instanceFlags are the flags of limpet instance.
type instanceFlags struct {
	listen          string
	sample          sample.Options
	failShare       float64
	grow, maxMemory proxy.ByteSize
}

func (f *instanceFlags) add(cmd *cobra.Command) {
	flags, o := cmd.Flags(), &f.sample
	flags.SortFlags = false
	flags.StringVar(&f.listen, "listen", defaultInstanceListen, "`ADDRESS` to listen on; port 0 is a free one")
	flags.StringVar(&o.Name, "name", sample.DefaultName, "`NAME` of the instance")
	flags.StringVar(&o.Start, "start", "", "start `NONCE`, which says that the memory is still the same (default: a random one)")
	flags.StringVar(&o.Header, "header", affinity.DefaultHeader, "request header `NAME` that names the session, \"\" for none")
	flags.StringVar(&o.Cookie, "cookie", "", "cookie `NAME` that names the session (default: none)")
	flags.BoolVar(&o.GiveCookie, "give-cookie", false, "give a counted request that names no session a fresh one in --cookie")
	flags.IntVar(&o.MaxSessions, "max-sessions", sample.DefaultMaxSessions, "remember `N` sessions, those that were used last")
	flags.DurationVar(&o.Trouble.Sleep, "sleep", 0, "wait before each answer")
	flags.IntVar(&o.Trouble.Status, "status", http.StatusOK, "answer with this status `CODE`")
	flags.IntVar(&o.Trouble.Stream, "stream", 0, "answer with `N` server-sent events (default: JSON)")
	flags.DurationVar(&o.Trouble.Interval, "interval", sample.DefaultStreamInterval, "time between two events")
	flags.StringVar(&o.Trouble.Fail, "fail", "", "break off before the answer or in the middle of it: `head|body` (default: neither)")
	flags.Float64Var(&f.failShare, "fail-share", 1, "`SHARE` of the requests, 0 to 1, that --fail and a --status from 400 on hit, at random")
	flags.TextVar(&f.grow, "grow", proxy.ByteSize(0), "memory of this `SIZE`, such as 64KiB, to keep for the session with each request")
	flags.TextVar(&f.maxMemory, "max-memory", proxy.ByteSize(sample.DefaultMaxMemory), "most memory to keep so, a `SIZE`")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return instanceFlagError(notSibling("instances", cmd, err)) })
}

// flagRule is what the value of a flag has to be.
type flagRule struct {
	name     string
	good     bool
	accepted string
}

// options checks the flags and returns what they ask for.
func (f *instanceFlags) options(cmd *cobra.Command) (sample.Options, error) {
	for _, rule := range append(f.rules(), f.troubleRules()...) {
		if !rule.good {
			return sample.Options{}, fmt.Errorf("--%s: %.100q, accepted is %s", rule.name, cmd.Flag(rule.name).Value, rule.accepted)
		}
	}
	o := f.sample
	hits := o.Trouble.Fail != "" || o.Trouble.Status >= http.StatusBadRequest
	switch {
	case o.GiveCookie && o.Cookie == "":
		return o, errors.New("--give-cookie: needs the name of the cookie, --cookie NAME")
	case cmd.Flags().Changed("fail-share") && !hits:
		return o, errors.New("--fail-share: of what? Give --fail, or a --status of 400 or more, too")
	}
	o.MaxMemory, o.Trouble.Grow, o.Trouble.Spare = int64(f.maxMemory), int64(f.grow), 1-f.failShare
	if o.Trouble.Interval == 0 {
		o.Trouble.Interval = -1 // where 0 is the default
	}
	return o, nil
}

func (f *instanceFlags) rules() []flagRule {
	const visible = "1 to 128 characters of visible ASCII"
	const token = "a name of letters, digits and - or _"
	o := f.sample
	return []flagRule{
		{"name", isVisible(o.Name), visible},
		{"start", o.Start == "" || isVisible(o.Start), visible},
		{"header", o.Header == "" || isFieldName(o.Header), token},
		{"cookie", o.Cookie == "" || isFieldName(o.Cookie), token},
		{"max-sessions", o.MaxSessions > 0, "1 or more"},
		{"max-memory", f.maxMemory > 0, "1B or more"},
	}
}

func (f *instanceFlags) troubleRules() []flagRule {
	t := f.sample.Trouble
	return []flagRule{
		{"sleep", t.Sleep >= 0, "0s or more"},
		{"interval", t.Interval >= 0, "0s or more"},
		{"status", t.Status >= sample.MinStatus && t.Status <= sample.MaxStatus,
			fmt.Sprintf("%d to %d", sample.MinStatus, sample.MaxStatus)},
		{"stream", t.Stream >= 0 && t.Stream <= sample.MaxStream, fmt.Sprintf("0 to %d", sample.MaxStream)},
		{"fail", t.Fail == "" || t.Fail == sample.FailHead || t.Fail == sample.FailBody, sample.FailHead + " or " + sample.FailBody},
		{"fail-share", f.failShare >= 0 && f.failShare <= 1, "0 to 1"},
		{"grow", f.grow == 0 || f.grow >= sample.MinGrow && f.grow <= f.maxMemory,
			fmt.Sprintf("0, or %v to --max-memory (%v)", proxy.ByteSize(sample.MinGrow), f.maxMemory)},
	}
}

// isVisible says whether a text can be part of a header and of the one line on stdout.
func isVisible(s string) bool {
	return s != "" && len(s) <= maxInstanceName && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isFieldName says whether s is a token, which is what RFC 9110 (5.1) has for a header's name and RFC 6265 (4.1.1) for a
// cookie's.
func isFieldName(s string) bool { return (&http.Cookie{Name: s}).Valid() == nil }

// instanceFlagError says what a flag accepts whose value could not be read at all.
func instanceFlagError(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	accepted := map[string]string{
		"int": "a whole number", "float64": "a number from 0 to 1", "duration": "a duration such as 250ms", "bool": "true or false",
	}[bad.GetFlag().Value.Type()]
	if accepted == "" {
		return fmt.Errorf("--%s: %w", bad.GetFlag().Name, errors.Unwrap(bad)) // a size, which says so itself
	}
	return fmt.Errorf("--%s: %.100q, accepted is %s", bad.GetFlag().Name, bad.GetValue(), accepted)
}

// notSibling adds to the error of an unknown flag that the other command has it: instance and instances differ by one
// letter.
func notSibling(other string, cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	name := unknown.GetSpecifiedName()
	for _, c := range cmd.Root().Commands() {
		has := func(flags *pflag.FlagSet) (found bool) {
			flags.VisitAll(func(f *pflag.Flag) { found = found || f.Name == name || f.Shorthand == name })
			return found
		}
		if c.Name() == other && (has(c.Flags()) || has(c.PersistentFlags())) {
			return fmt.Errorf("%w; limpet %s has it: %s", err, other, c.Short)
		}
	}
	return err
}
