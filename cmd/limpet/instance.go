package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/sample"
)

const (
	// defaultInstanceListen is the address of configs/quickstart.yaml's first instance.
	defaultInstanceListen = "127.0.0.1:9001"
	// instanceGrace is how long requests under way may take after the first signal.
	instanceGrace = 5 * time.Second
)

const instanceText = `Run a sample stateful instance: an HTTP program that counts each session's requests in its own memory, so that a
request which reached the wrong instance shows. Put any proxy in front of a few of them, each with its --listen
and its --name.

Paths:
  /healthz   200, with the start nonce as Limpet-Instance-Start; the flags and parameters below change nothing here
  /headers   the head of the request as it came, as JSON
  /echo      the body of the request, streamed both ways
  /mcp       an MCP server over Streamable HTTP. Its tool count counts the calls of each MCP session, and answers with
             the same JSON; with {"notify": true} it sends that on the session's GET stream too
  any other  one more of the session's requests. The answer is JSON: instance, session, count (of the session's
             requests here, this one included), start (the start nonce), and epoch and event as the proxy gave them

Every answer names the instance in Sample-Instance, and every one that counted has its count in Sample-Count.

A request's session is named by its Limpet-Session-Id, else by the header --header, else by the cookie --cookie. Those
without one are counted together. An ID has at most 256 bytes. A session is forgotten when the program ends, when
--max-sessions others were used since, and when its Limpet-Session-Epoch is greater than before.

A request may ask for trouble by its query, such as /?sleep=250ms&status=503. A parameter goes before its flag:
  sleep=DURATION     answer only after it. A client that leaves meanwhile is not counted
  status=CODE        answer with this status, 200 to 599. It counts like any other
  fail=head          break the connection off before the answer, without counting; fail= asks for no failure
  fail=body          count, and break off in the middle of the answer
  stream=N           N server-sent events, each with the same JSON and its number; 0 for no stream
  interval=DURATION  between two events
  grow=BYTES         keep so much memory for the session until it is forgotten: a plain number, 1024 or more, or 0.
                     Beyond --max-memory the answer is 507, and the request does not count
Of these /headers and /echo know sleep, status and fail. /mcp knows all; its stream is N - 1 notifications and the
response. One that is no good is answered with 400.

SIGTERM and SIGINT let requests under way finish, for 5 s at most; a second one stops at once.`

func instanceCommand() *cobra.Command {
	flags := &instanceFlags{}
	cmd := &cobra.Command{
		Use:   "instance",
		Short: "Run a sample stateful instance, to try or test any proxy with",
		Long:  instanceText,
		Example: "  limpet instance --name a & limpet instance --name b --listen 127.0.0.1:9002 &\n" +
			"  limpet instance --header '' --cookie sid --give-cookie\n" +
			"  limpet instance --status 503 --fail-share 0.01 --sleep 20ms",
		Args: noInstanceArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := flags.options(cmd)
			if err != nil {
				return err
			}
			return instance(cmd, flags.listen, o)
		},
	}
	flags.add(cmd)
	return cmd
}

func noInstanceArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unexpected %.40q: limpet instance takes flags only; limpet instances, with an s, lists those of limpet serve",
		args[0])
}

// instance runs a sample instance until a signal or the command's context ends it.
func instance(cmd *cobra.Command, listen string, o sample.Options) error {
	return untilSignal(cmd.Context(), func(ctx context.Context) error {
		running, err := sample.Start(listen, o)
		if err != nil {
			return fmt.Errorf("--listen: %w", oneLine{err})
		}
		fmt.Fprintf(cmd.OutOrStdout(), "sample instance %s listens on %s (start %s)\n", o.Name, running.URL(), running.StartNonce())
		<-ctx.Done()
		finish(running, cmd.ErrOrStderr())
		return nil
	})
}

// finish stops a sample instance. What does not end in time is cut off.
func finish(running *sample.Running, stderr io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), instanceGrace)
	defer cancel()
	if running.Shutdown(ctx) != nil {
		fmt.Fprintf(stderr, "limpet: requests were still under way after %v, and are cut off\n", instanceGrace)
	}
}
