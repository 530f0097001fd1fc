package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/load/page"
)

// The exit statuses of limpet load, beside 0.
const (
	statusBroken   = 1 // a misroute, a lost state or an overcount
	statusUnjudged = 2 // the target could not be judged
)

// exitError is an error with an exit status of its own.
type exitError struct {
	status int
	err    error
}

// Error returns the error's text.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap returns the error.
func (e *exitError) Unwrap() error { return e.err }

const loadLong = `Drive sessions at a URL, and prove that none was misrouted.

Many sessions are alive at once, each a sequence of requests; the next one is picked at random. Every response is checked:
it has to come from the session's home, where the session's first response came from, and the counter that the instance
keeps for the session has to go up by one with each request. A change that the proxy announces (Limpet-Session-Event) is
a move; any other is a misroute, a lost state or an overcount. limpet instance is a program that shows both, behind any
proxy.

With --rate the model is open: requests arrive at that rate whatever the answers do, and latency counts from when a
request was scheduled, so that a stall shows in every request that it delayed. Without, it is closed: --connections
clients, each of which waits for its answer.

With --protocol mcp a session is one of the Model Context Protocol (initialize, tools/call again and again, DELETE), its home
is where initialize was answered, and a request is a call of --tool. An answer of 404 says that the session is unknown: if
the session or its home turns out to have lived, that was a misroute; else it was lost, and is begun anew.

Several URLs are taken in turn, whatever session a request belongs to: give all replicas of a proxy.

Exit status: 0 all was judged and nothing was wrong; 1 a misroute, a lost state or an overcount; 2 the target could not
be judged, or the command was wrong. Ctrl-C ends the run with the summary so far.`

func loadCommand() *cobra.Command {
	f := &loadFlags{}
	cmd := &cobra.Command{
		Use:   "load URL...",
		Short: "Drive sessions at any URL, and prove that none was misrouted",
		Long:  loadLong,
		Example: `  limpet load http://127.0.0.1:8080/
  limpet load http://127.0.0.1:8080/ http://127.0.0.1:8081/ --sessions 1000 --rate 2000 --duration 1m --report report.html
  limpet load http://127.0.0.1:8090/ --session cookie --requests 100000 -o json
  limpet load http://127.0.0.1:8080/mcp --protocol mcp --session-requests 20`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &exitError{statusUnjudged, errors.New("load: no URL, accepted are one or more, such as http://127.0.0.1:8080/")}
			}
			return nil
		},
		RunE: f.run,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{statusUnjudged, err} })
	f.add(cmd)
	return cmd
}

// run carries out the command. Whatever keeps it from a verdict has the status of a target that could not be judged:
// status 1 must mean one thing only.
func (f *loadFlags) run(cmd *cobra.Command, urls []string) error {
	report, err := f.load(cmd, urls)
	if err != nil {
		return &exitError{statusUnjudged, err}
	}
	switch report.Verdict {
	case load.Broken:
		return &exitError{statusBroken, errors.New(printable(report.Why))}
	case load.Unjudged:
		return &exitError{statusUnjudged, fmt.Errorf("the target could not be judged: %s", printable(report.Why))}
	case load.Proven, load.Unasked:
	}
	return nil
}

// load makes the load and shows what came of it.
func (f *loadFlags) load(cmd *cobra.Command, urls []string) (report load.Report, err error) {
	if !slices.Contains([]string{outputText, outputJSON}, f.output) {
		return report, fmt.Errorf("--output: %q, accepted are %s and %s", f.output, outputText, outputJSON)
	}
	plan, err := f.plan(cmd, urls)
	if err != nil {
		return report, err
	}
	run, err := load.New(plan)
	if err != nil {
		return report, err
	}
	file, err := f.openReport()
	if err != nil {
		return report, err
	}
	err = untilSignal(cmd.Context(), func(ctx context.Context) error {
		report = f.watched(ctx, cmd, run)
		return nil
	})
	if err != nil {
		return report, errors.Join(err, closeReport(file, nil))
	}
	if err := f.show(cmd, report); err != nil {
		return report, errors.Join(err, closeReport(file, nil))
	}
	return report, closeReport(file, &report)
}

// watched carries the run out under a display.
func (f *loadFlags) watched(ctx context.Context, cmd *cobra.Command, run *load.Run) load.Report {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	d := newLoadDisplay(cmd.ErrOrStderr())
	go func() {
		defer close(done)
		if !f.quiet {
			d.run(watching, run.Progress)
		}
	}()
	report := run.Do(ctx)
	stop()
	<-done
	return report
}

// show prints the report to stdout, as --output asks.
func (f *loadFlags) show(cmd *cobra.Command, report load.Report) error {
	if f.output == outputJSON {
		return printJSON(cmd.OutOrStdout(), report, false)
	}
	return printLoad(cmd.OutOrStdout(), report)
}

// openReport opens the file of --report before anything is sent: a run of an hour must not end in a file that cannot
// be written. nil: none is asked for.
func (f *loadFlags) openReport() (*os.File, error) {
	if f.report == "" {
		return nil, nil
	}
	file, err := os.OpenFile(f.report, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--report: %w", err)
	}
	return file, nil
}

// closeReport writes the page, nil for none, over what the file had.
func closeReport(file *os.File, report *load.Report) error {
	if file == nil {
		return nil
	}
	var text bytes.Buffer
	var err error
	if report != nil {
		err = page.Write(&text, *report)
	}
	if err == nil {
		err = errors.Join(file.Truncate(0), writeAll(file, text.Bytes()))
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

func writeAll(file *os.File, text []byte) error {
	_, err := file.WriteAt(text, 0)
	return err
}
