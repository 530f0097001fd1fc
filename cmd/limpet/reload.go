package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/limpet-proxy/limpet/configs"
)

// watchEvery is how often the configuration file is looked at. Its content is compared, not its time: that works the
// same for an editor's rename, for the symbolic links of a mounted ConfigMap, and on a network file system.
const watchEvery = time.Second

// reloader puts a changed configuration file in force: whole, or not at all.
type reloader struct {
	file    string
	hangups chan os.Signal
	pipe    bool              // it can be read only once, by the load: a shell's <(...)
	seen    [sha256.Size]byte // of the content last tried, good or bad
	process *process
	current configs.Config
}

// newReloader looks at the file and listens for SIGHUP. To be called before the file is loaded, so that no change
// goes unseen, and no early SIGHUP kills the process.
func newReloader(file string) *reloader {
	r := &reloader{file: file, hangups: make(chan os.Signal, 1)}
	signal.Notify(r.hangups, syscall.SIGHUP)
	info, err := os.Stat(file)
	r.pipe = err == nil && !info.Mode().IsRegular()
	r.changed()
	return r
}

func (r *reloader) close() { signal.Stop(r.hangups) }

// run reloads on SIGHUP, which also reads anew the files that the configuration names, and on a change of the file,
// until ctx is done.
func (r *reloader) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangups:
			r.changed()
		case <-tick.C:
			if !r.changed() {
				continue
			}
		}
		r.reload()
	}
}

// changed says whether the file's content is another than at the last look. A file that cannot be read is a change
// too: the reload says why.
func (r *reloader) changed() bool {
	if r.pipe {
		return false
	}
	content, err := os.ReadFile(r.file)
	sum := sha256.Sum256(content)
	if err != nil {
		sum = sha256.Sum256([]byte(err.Error()))
	}
	was := r.seen
	r.seen = sum
	return was != sum
}

func (r *reloader) reload() {
	if err := r.try(); err != nil {
		r.process.metrics.Reloaded(false)
		r.process.logger.Error("configuration not reloaded, the old one stays in force", "error", err)
		return
	}
	r.process.logger.Info("configuration reloaded", "functions", len(r.current.Functions))
}

func (r *reloader) try() error {
	loaded, err := configs.Load(r.file)
	if err != nil {
		return err
	}
	if keys := configs.NeedsRestart(r.current, loaded.Config); len(keys) > 0 {
		return fmt.Errorf("%s: a change of %s takes a restart", r.file, strings.Join(keys, ", "))
	}
	for _, w := range loaded.Warnings {
		r.process.logger.Warn(w.String())
	}
	if err := r.process.apply(loaded.Config); err != nil {
		return err
	}
	r.current = loaded.Config
	return nil
}
