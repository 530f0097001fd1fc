package main_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// notReloaded is what the log says of a bad file.
const notReloaded = "configuration not reloaded, the old one stays in force"

// metric returns the value of the series, as /metrics spells it, "" if there is none.
func (p *process) metric(series string) string {
	p.t.Helper()
	for line := range strings.Lines(p.metrics()) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), series+" "); ok && name == "" {
			return value
		}
	}
	return ""
}

func (p *process) metrics() string {
	p.t.Helper()
	r, err := good(quick, p.admin+"/metrics", "")
	require.NoError(p.t, err)
	return string(r.body)
}

// reload puts s in force, by SIGHUP or by the change of the file alone. It waits for a function that was not there
// before: a line in the log may be of an earlier reload, when signal and change were seen one after the other.
func (p *process) reload(s setup, file string, hangUp bool) {
	p.t.Helper()
	p.reloads++
	mark := fmt.Sprintf("mark-%d", p.reloads)
	s.functions = append(s.functions[:len(s.functions):len(s.functions)], function{
		name: mark, path: "/" + mark, affinity: "{type: NONE}", instances: s.functions[0].instances,
	})
	s.write(p.t, file)
	if hangUp {
		p.signal(syscall.SIGHUP)
	}
	p.eventually(func() error {
		r, err := good(quick, p.listen+"/"+mark, "")
		if err == nil && r.epoch != 0 {
			err = errors.New("the function at / still answers for it")
		}
		return err
	})
}

// metricIs waits for a series to have a value.
func (p *process) metricIs(series, value string) {
	p.t.Helper()
	p.eventually(func() error {
		if v := p.metric(series); v != value {
			return fmt.Errorf("%s is %q, not %s", series, v, value)
		}
		return nil
	})
}

const lastReload = "limpet_config_last_reload_successful"

// answer is good for a request that no other test waits for.
func (p *process) answer(path, id string) reply {
	p.t.Helper()
	r, err := good(quick, p.listen+path, id)
	require.NoError(p.t, err)
	return r
}

func TestABadFileLeavesTheOldConfigurationInForce(t *testing.T) {
	t.Parallel()
	s := setup{functions: []function{{instances: samples(t, 1)}}}
	file := s.file(t)
	p := serve(t, file)
	require.Equal(t, "1", p.metric(lastReload), "the first load counts")
	for name, hangUp := range map[string]bool{"by SIGHUP": true, "by change of the file": false} {
		t.Run(name, func(t *testing.T) {
			replace(t, file, s.String()+"nonsense: 1\n")
			if hangUp {
				p.signal(syscall.SIGHUP)
			}
			line := p.awaitLog(notReloaded)
			require.Regexp(t, `limpet\.yaml:\d+:\d+: nonsense: is an unknown key`, line["error"])
			p.metricIs(lastReload, "0")
			p.answer("/", "alice")
			p.reload(s, file, hangUp)
			p.metricIs(lastReload, "1")
			p.answer("/", "alice")
		})
	}
	count := p.answer("/", "alice").Count
	require.Equal(t, 5, count, "no reload has cost the session its state")
}

func TestAFileThatIsGoneLeavesTheOldConfigurationInForce(t *testing.T) {
	t.Parallel()
	s := setup{functions: []function{{instances: samples(t, 1)}}}
	file := s.file(t)
	p := serve(t, file)
	require.NoError(t, os.Remove(file))
	p.awaitLog(notReloaded)
	p.answer("/", "alice")
	p.reload(s, file, false)
	p.metricIs(lastReload, "1")
}

func TestAChangeThatTakesARestartIsRefusedByName(t *testing.T) {
	t.Parallel()
	s := setup{functions: []function{{instances: samples(t, 1)}}}
	file := s.file(t)
	p := serve(t, file)
	changed := s
	changed.listen, changed.store = "127.0.0.1:1", `{kind: embedded, path: "elsewhere"}`
	changed.functions = []function{{path: "/changed", instances: samples(t, 1)}}
	changed.write(t, file)
	p.signal(syscall.SIGHUP)
	line := p.awaitLog(notReloaded)
	require.Contains(t, line["error"], "a change of listen, store.path takes a restart")
	require.Equal(t, "0", p.metric(lastReload))
	p.answer("/", "alice") // all or nothing
	_, err := os.Stat("elsewhere")
	require.ErrorIs(t, err, os.ErrNotExist)
	p.reload(s, file, true)
	p.metricIs(lastReload, "1")
}
