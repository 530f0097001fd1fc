package main

import (
	"context"
	"io"
)

// RunHere is main in this process: it returns the exit status.
func RunHere(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if err := run(ctx, args, stdout, stderr); err != nil {
		report(stderr, err)
		return 1
	}
	return 0
}
