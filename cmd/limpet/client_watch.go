package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	// defaultWatch is how often --watch looks when it is not said how often.
	defaultWatch = 2 * time.Second
	// minWatch keeps a watch from being a load test.
	minWatch = 100 * time.Millisecond
)

// What a terminal is told (ECMA-48): the cursor goes home, the rest of a line or of the screen is cleared.
const (
	cursorHome  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearScreen = "\x1b[J"
)

// watchFlag adds --watch, with or without an interval.
func watchFlag(cmd *cobra.Command, every *time.Duration) {
	cmd.Flags().DurationVarP(every, "watch", "w", 0, "show it again every `INTERVAL`, until Ctrl-C; --watch alone is --watch="+defaultWatch.String())
	cmd.Flags().Lookup("watch").NoOptDefVal = defaultWatch.String()
}

// checkWatch refuses an interval that is none, and one that was written after a space and so became an argument.
func checkWatch(cmd *cobra.Command, every time.Duration, args []string) error {
	if !cmd.Flags().Changed("watch") {
		return nil
	}
	for _, arg := range args {
		if _, err := time.ParseDuration(arg); err == nil {
			return fmt.Errorf("--watch %s: an interval follows an equals sign, --watch=%s", arg, arg)
		}
	}
	if every < minWatch {
		return fmt.Errorf("--watch: %v, accepted is %v or more", every, minWatch)
	}
	return nil
}

// watcher shows the same thing again and again.
type watcher struct {
	every       time.Duration
	out, stderr io.Writer
	json        bool // a document a line, and nothing between them
	terminal    bool // out is one: each picture takes the place of the one before
	drawn       bool
	last        []byte // the last picture
}

// run draws until ctx is done, which is how a watch ends: nil. An error of draw is shown, and the watch goes on; one
// of writing ends it.
func (w *watcher) run(ctx context.Context, draw func(context.Context, io.Writer) error) error {
	for {
		var picture bytes.Buffer
		err := draw(ctx, &picture)
		if ctx.Err() != nil {
			return nil
		}
		if err := w.show(picture.Bytes(), err); err != nil {
			return err
		}
		if pause(ctx, w.every) != nil {
			return nil
		}
	}
}

func (w *watcher) show(picture []byte, failed error) error {
	switch {
	case w.terminal && !w.json:
		return w.redraw(picture, failed)
	case failed != nil:
		report(w.stderr, failed)
		return nil
	case w.json:
		_, err := w.out.Write(picture)
		return err
	}
	_, err := fmt.Fprintf(w.out, "%s\n%s", time.Now().UTC().Format(time.RFC3339), picture)
	return err
}

// redraw overwrites the picture line by line and then clears what the last one had more: a screen that is cleared
// first flickers. After a failure the last picture stays, under the error.
func (w *watcher) redraw(picture []byte, failed error) error {
	var frame strings.Builder
	if !w.drawn {
		frame.WriteString(cursorHome + clearScreen)
		w.drawn = true
	}
	fmt.Fprintf(&frame, "%s%s, every %v, Ctrl-C ends%s\n", cursorHome, time.Now().Format(time.TimeOnly), w.every, clearLine)
	if failed != nil {
		fmt.Fprintf(&frame, "limpet: %v%s\n", failed, clearLine)
	} else {
		w.last = picture
	}
	frame.WriteString(strings.ReplaceAll(string(w.last), "\n", clearLine+"\n") + clearScreen)
	_, err := io.WriteString(w.out, frame.String())
	return err
}

// isTerminal says whether w writes to a terminal that knows the sequences of redraw.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// showing prints what find finds: once, or again and again if every is not 0.
func (f *clientFlags) showing(cmd *cobra.Command, every time.Duration, find func(context.Context) (listing, error)) error {
	draw := func(ctx context.Context, w io.Writer) error {
		found, err := find(ctx)
		if err != nil {
			return err
		}
		return f.print(w, found, every > 0)
	}
	if every == 0 {
		return draw(cmd.Context(), cmd.OutOrStdout())
	}
	w := &watcher{
		every: every, out: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(),
		json: f.output == outputJSON, terminal: isTerminal(cmd.OutOrStdout()),
	}
	return untilSignal(cmd.Context(), func(ctx context.Context) error { return w.run(ctx, draw) })
}
