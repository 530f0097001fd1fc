package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/limpet-proxy/limpet/load"
)

const (
	// drawEvery is how often a terminal is shown how far a run is; sayEvery is how often anything else is.
	drawEvery = 200 * time.Millisecond
	sayEvery  = 5 * time.Second
	// barWidth is how many characters a progress bar has, where the terminal has room for it.
	barWidth = 40
	// usualWidth is the width of a terminal that does not tell its own.
	usualWidth = 80
)

// loadDisplay shows how far a run of limpet load is: on a terminal a bar that is redrawn in place, elsewhere a plain line
// now and then.
type loadDisplay struct {
	out   io.Writer
	every time.Duration
	width func() int // of the terminal; nil: out is none
	drawn int        // lines of the last picture

	last     load.Progress // for the rate
	lastRate float64
}

func newLoadDisplay(out io.Writer) *loadDisplay {
	d := &loadDisplay{out: out, every: sayEvery}
	if file, ok := out.(*os.File); ok && isTerminal(out) {
		d.every = drawEvery
		d.width = func() int {
			if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
				return width
			}
			return usualWidth
		}
	}
	return d
}

// run shows the progress until ctx is done. A terminal's last picture is taken away then: the summary follows.
func (d *loadDisplay) run(ctx context.Context, progress func() load.Progress) {
	ticker := time.NewTicker(d.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			if d.width != nil {
				fmt.Fprint(d.out, d.home()+clearScreen)
			}
			return
		case <-ticker.C:
			d.show(progress())
		}
	}
}

func (d *loadDisplay) show(p load.Progress) {
	if past := (p.Elapsed - d.last.Elapsed).Seconds(); past > 0 {
		d.lastRate = float64(p.Answered-d.last.Answered) / past
	}
	d.last = p
	if d.width == nil {
		fmt.Fprintln(d.out, strings.Join(d.words(p), "  "))
		return
	}
	d.redraw(p)
}

// words are what there is to say.
func (d *loadDisplay) words(p load.Progress) []string {
	return []string{
		fmt.Sprintf("%3.0f %%  %s", 100*p.Done, p.Elapsed.Round(time.Second)),
		fmt.Sprintf("%s answered  %s/s  p50 %s  p99 %s  %s failed", thousands(p.Answered), thousands(int(d.lastRate+0.5)),
			inMillis(p.P50), inMillis(p.P99), thousands(p.Failed)),
		fmt.Sprintf("%s sessions  %s moves  %s misroutes  %s lost states  %s overcounts", thousands(p.Sessions), thousands(p.Moves),
			thousands(p.Misroutes), thousands(p.LostStates), thousands(p.Overcounts)),
	}
}

// redraw puts the picture where the last one was. A line that is longer than the terminal is wide would take two, and the
// next picture would stand one lower: it is cut.
func (d *loadDisplay) redraw(p load.Progress) {
	width := d.width()
	words := d.words(p)
	words[0] = bar(p.Done, min(barWidth, width-20)) + " " + words[0]
	var frame strings.Builder
	frame.WriteString(d.home())
	for _, line := range words {
		frame.WriteString(line[:min(len(line), max(0, width-1))] + clearLine + "\n")
	}
	d.drawn = len(words)
	fmt.Fprint(d.out, frame.String())
}

// home moves the cursor to where the last picture began (ECMA-48, cursor up and carriage return).
func (d *loadDisplay) home() string {
	if d.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r", d.drawn)
}

// bar draws a share of 1; "" where there is no room.
func bar(share float64, width int) string {
	if width < 4 {
		return ""
	}
	full := int(share * float64(width-2))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-2-full) + "]"
}

// thousands writes a number with a comma between each three digits.
func thousands(n int) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// inMillis writes a number of milliseconds for reading: three digits are enough.
func inMillis(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}
