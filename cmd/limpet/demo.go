package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions"
)

// demoSlots are how many sessions by header each of the demo's instances may have.
const demoSlots = 10_000

// demoInstances are the names of the demo's sample instances.
var demoInstances = []string{"a", "b", "c"}

func demoCommand() *cobra.Command {
	var listen, admin string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it: three sample stateful instances and a proxy in front of them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), demoConfig(listen, admin))
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "address of the proxy (default: the configuration's, or a free port)")
	cmd.Flags().StringVar(&admin, "admin", "", "address of the admin plane (default: the configuration's, or a free port)")
	return cmd
}

// demoConfig has two functions over the same instances: one by header, one by cookie.
func demoConfig(listen, admin string) configs.Config {
	cfg := configs.Default()
	cfg.Listen = demoAddress(listen, cfg.Listen)
	cfg.Admin = demoAddress(admin, cfg.Admin)
	cfg.AccessLog.Enabled = false
	cfg.Shutdown.Delay = 0 // nothing balances in front of a demo
	header, cookie := proxy.DefaultFunctionConfig(), proxy.DefaultFunctionConfig()
	header.Name, header.Match.Path = "counter", "/"
	cookie.Name, cookie.Match.Path = "browser", "/browser"
	cookie.Affinity.Type = sessions.AffinityCookie
	// Sessions of a load test keep their slots for the idle timeout: it should go well twice.
	header.Sessions.PerInstance = demoSlots
	for _, f := range []proxy.FunctionConfig{header, cookie} {
		health := instances.DefaultHealthConfig()
		f.Instances.Health = &health
		cfg.Functions = append(cfg.Functions, f)
	}
	return cfg
}

// demoAddress is what the user asked for, else the usual address if it is free, else a free port: a first try must
// not fail because something else runs there.
func demoAddress(asked, usual string) string {
	if asked != "" {
		return asked
	}
	l, err := net.Listen("tcp", usual)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close() // it was only tried
	return usual
}

// demo runs the instances and the proxy until ctx ends or a signal comes.
func demo(ctx context.Context, stdout, stderr io.Writer, cfg configs.Config) error {
	var places []instances.StaticInstance
	for _, name := range demoInstances {
		inst, err := sample.Start("127.0.0.1:0", sample.Options{Name: name})
		if err != nil {
			return fmt.Errorf("start sample instance %s: %w", name, err)
		}
		defer inst.Close() //nolint:errcheck // the program ends
		places = append(places, instances.StaticInstance{ID: name, URL: inst.URL()})
	}
	for i := range cfg.Functions {
		cfg.Functions[i].Instances.Static = places
	}
	p, err := newProcess(cfg, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), nil)
	if err != nil {
		return err
	}
	return untilSignal(ctx, func(ctx context.Context) error {
		err := p.serve(ctx, func(context.Context) { demoText(stdout, p, places) })
		if err == nil || errors.Is(err, context.Canceled) {
			fmt.Fprintln(stdout, "\nStopped.")
			return nil
		}
		return err
	})
}

// demoText tells what to try.
func demoText(out io.Writer, p *process, places []instances.StaticInstance) {
	url := "http://" + p.data.Addr().String()
	fmt.Fprintf(out, "Limpet is running: %s\nDashboard:         http://%s/\n", url, p.admin.Addr())
	fmt.Fprintln(out, "\nThree sample instances, each of which counts every session's requests in its own memory:")
	for _, place := range places {
		fmt.Fprintf(out, "  %s  %s\n", place.ID, place.URL)
	}
	fmt.Fprintf(out, `
Try, more than once each: "instance" stays the same and "count" goes up.

  curl -H 'X-Session-Id: alice' %[1]s/
  curl -H 'X-Session-Id: bob' %[1]s/
  curl -c limpet.jar -b limpet.jar %[1]s/browser

The first two name their session in a header, the third keeps it in a signed cookie. Without either you get
a new session: curl -i %[1]s/ shows its ID in the answer.

What there is, and a session made beforehand:

  go run ./cmd/limpet sessions list --admin %[2]s
  go run ./cmd/limpet sessions create counter --id carol --ttl 1h --admin %[2]s
  go run ./cmd/limpet instances list --admin %[2]s

Prove that no session leaves its home, under load:

  go run ./cmd/limpet load %[1]s/ --sessions 50 --requests 20000 --report report.html

Ctrl-C stops it.
`, url, p.admin.Addr())
}
