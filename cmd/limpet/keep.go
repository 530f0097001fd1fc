package main

import (
	"os"
	"runtime"

	"github.com/spf13/cobra"

	processes "github.com/limpet-proxy/limpet/instances/process"
)

// keepName is the command that stands between Limpet and an instance's command. Only Limpet itself calls it.
const keepName = "keep-process"

func keepCommand() *cobra.Command {
	return &cobra.Command{
		Use: keepName, Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, command []string) error {
			os.Exit(processes.Keep(command))
			return nil
		},
	}
}

// ownBinary is the program that runs: on Linux also when an upgrade has put another one in its place meanwhile.
func ownBinary() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}
