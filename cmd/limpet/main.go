// Package main is the limpet command: it wires the packages together and is the only one that imports them all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/configs"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		report(os.Stderr, err)
		os.Exit(exitStatus(err))
	}
}

// exitStatus is 1, or what the command says.
func exitStatus(err error) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.status
	}
	return 1
}

// report says what went wrong: problems of a configuration file as FILE:LINE:COLUMN, for editors and scripts that
// look for that at the start of a line.
func report(stderr io.Writer, err error) {
	var file *configs.Error
	if errors.As(err, &file) {
		fmt.Fprintln(stderr, file)
		return
	}
	fmt.Fprintln(stderr, "limpet:", err)
}

// run is the whole program: main only turns its error into an exit status. Commands that serve end when ctx is done,
// as on SIGTERM.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:           "limpet",
		Short:         "A session-affinity reverse proxy: each session returns to its home instance.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownCommand, // cobra's own error has several lines
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(serveCommand(), checkCommand(), demoCommand(), instanceCommand(), loadCommand(), versionCommand(),
		sessionsCommand(), instancesCommand(), keepCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

// knownCommand gets what is left when no command has the name that was given.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("unknown command %q, accepted are %s", args[0], strings.Join(names, ", "))
}
