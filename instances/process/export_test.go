package process

import (
	"context"
	"log/slog"
	"time"

	"github.com/limpet-proxy/limpet/instances"
)

// Fake is a command that a test plays.
type Fake struct {
	ID     string
	Port   int
	Owner  int // 0 unknown, 1 the command, 2 another program
	Gone   chan struct{}
	Reason string
	OnTerm func()
	OnKill func()
}

func (f *Fake) term()                 { f.OnTerm() }
func (f *Fake) kill()                 { f.OnKill() }
func (f *Fake) done() <-chan struct{} { return f.Gone }
func (f *Fake) how() string           { return f.Reason }
func (f *Fake) owns(int) owner        { return owner(f.Owner) }

// WithSpawn makes fakes stand for the commands.
func (s *Source) WithSpawn(spawn func(id string, port int, cfg Config) (*Fake, error)) {
	s.spawn = func(p *process, port int) (running, error) {
		f, err := spawn(p.id, port, p.cfg)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
}

// Journal is where lines of output go; the log is slow.
type Journal = journal

var (
	NewJournal = newJournal
	NewGroups  = newGroups
	OwnDir     = ownDir
)

// Lines returns a writer of an instance's output, and its end.
func Lines(j *journal, instance string) (write func([]byte), end func()) {
	l := &lines{journal: j, instance: instance, stream: "stdout"}
	return func(p []byte) { _, _ = l.Write(p) }, l.flush
}

// Backlog takes the lines that wait: text, and whether each was cut.
func (j *journal) Backlog() (texts []string, cut []bool) {
	for {
		select {
		case l := <-j.backlog:
			texts, cut = append(texts, l.text), append(cut, l.cut)
		default:
			return texts, cut
		}
	}
}

// Dropped is how many lines were left out.
func (j *journal) Dropped() int64 { return j.dropped.Load() }

// Pauses returns the pauses after n failures in a row.
func Pauses(n int) (all []time.Duration) {
	var f failures
	for range n {
		all = append(all, f.add(time.Now(), ""))
	}
	return all
}

// Open makes the group of an instance, and returns its directory and what ends it.
func (g *groups) Open(instance string) (dir string, remove func(), err error) {
	made, err := g.open(instance)
	if err != nil || made == nil {
		return "", func() {}, err
	}
	_ = made.file.Close()
	return made.dir, made.remove, nil
}

// Settings is what is written into each group.
func (g *groups) Settings() map[string]string { return g.settings() }

// Limit finds out whether processes can be limited.
func Limit(c instances.ProcessConfig, log *slog.Logger) {
	s := New(Config{ProcessConfig: c}, Host{Logger: log})
	s.limit()
}

const (
	MaxLine    = maxLine
	MaxBacklog = maxBacklog
	MaxPause   = maxPause
	FirstPause = firstPause
	Jitter     = pauseJitter
	Steady     = steady
	PinTime    = pinTime
	FirstPort  = firstPort
	LastPort   = lastPort
)

// Sentinels.
var ErrNoGroups = errNoGroups

// Descendants returns the processes that pid has started, and those that they have.
func Descendants(pid int) []int { return descendants(pid) }

// Take and Release are those of Source.
func (p *Ports) Take() (int, error) { return p.take() }
func (p *Ports) Release(port int)   { p.release(port) }

// RunJournal is journal.run.
func RunJournal(ctx context.Context, j *Journal) { j.run(ctx) }
