package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/configs"
)

// errStopped is the end of a process that was told twice to stop.
var errStopped = errors.New("stopped at once, by a second signal")

func serveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve -c FILE",
		Short: "Run the proxy",
		Long: "Run the proxy. SIGTERM and SIGINT drain it, a second one stops it at once; SIGHUP, or a change of the\n" +
			"file, reloads it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), file, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	configFlag(cmd, &file)
	return cmd
}

// serve runs the proxy until a signal or ctx ends it. The access log goes to stdout, everything else to stderr.
func serve(ctx context.Context, file string, stdout, stderr io.Writer) error {
	reloads := newReloader(file)
	defer reloads.close()
	loaded, err := configs.Load(file)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(stderr, nil))
	for _, w := range loaded.Warnings {
		logger.Warn(w.String())
	}
	p, err := newProcess(loaded.Config, logger, slog.New(slog.NewJSONHandler(stdout, nil)))
	if err != nil {
		return err
	}
	reloads.process, reloads.current = p, loaded.Config
	return untilSignal(ctx, func(ctx context.Context) error {
		return serveReloading(ctx, p, reloads, func() {
			logger.Info("serving", "listen", p.data.Addr().String(), "admin", p.admin.Addr().String(),
				"store", loaded.Config.Store.Kind, "functions", len(loaded.Config.Functions))
		})
	})
}

// serveReloading runs p, and its reloads while it serves.
func serveReloading(ctx context.Context, p *process, reloads *reloader, started func()) error {
	return p.serve(ctx, func(ctx context.Context) {
		started()
		p.background.Go(func() { reloads.run(ctx) })
	})
}

// untilSignal runs work until SIGTERM or SIGINT, which ends its context so that it leaves in order; a second one ends
// it at once.
func untilSignal(ctx context.Context, work func(context.Context) error) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	select {
	case err := <-done:
		return err
	case <-signals:
		cancel()
	}
	select {
	case err := <-done:
		return err
	case <-signals:
		return errStopped
	}
}
