package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are set by the linker for a release: -X main.version=v1.2.3.
var version, commit string

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, c := buildVersion()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "limpet %s, commit %s, %s\n", v, c, runtime.Version())
			return err
		},
	}
}

// buildVersion is what the linker set, else what the Go command recorded.
func buildVersion() (v, c string) {
	v, c = version, commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return or(v, "devel"), or(c, "unknown")
	}
	v = or(v, info.Main.Version)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			c = or(c, s.Value)
		}
	}
	return or(v, "devel"), or(c, "unknown")
}

func or(s, otherwise string) string {
	if s == "" || s == "(devel)" {
		return otherwise
	}
	return s
}
