package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/configs"
)

func checkCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check a configuration file and print what is in force, defaults included",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := configs.Load(file)
			if err != nil {
				return err
			}
			for _, w := range loaded.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			return loaded.Config.Print(cmd.OutOrStdout())
		},
	}
	configFlag(cmd, &file)
	return cmd
}

// configFlag adds the flag that names the configuration file.
func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "configuration file (required)")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // only for a flag that does not exist
	}
}
