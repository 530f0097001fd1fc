package redisstore_test

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
	"github.com/limpet-proxy/limpet/sessions/storetest"
)

// TestScriptsTouchOnlyWhatTheyDeclare listens to MONITOR, which shows every command that a script runs, while the
// conformance suite runs. An undeclared key would work until its slot moves: a script would then read it as missing
// and decide wrongly, where a declared one makes the server say TRYAGAIN.
func TestScriptsTouchOnlyWhatTheyDeclare(t *testing.T) {
	t.Parallel()
	server := redistest.Standalone(t, redistest.Options{})
	s := open(t, topology{config: configOf(server.Addr), options: redisstore.Options{Timeout: patience}})
	lines := monitor(t, server)
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, storetest.Harness{Open: func(testing.TB) sessions.Store { return s }})
	})
	names, used := s.ScriptHashes(), map[string]bool{}
	purgeOnce(t, s, server.Addr)
	const last = "the last command"
	_, err := s.Secret(t.Context(), last)
	require.NoError(t, err)
	var declared, tags map[string]bool
	for line := range lines {
		command := line.words
		switch {
		case strings.EqualFold(command[0], "set") && strings.Contains(command[1], "last+command"):
			for _, name := range names {
				require.True(t, used[name], "script %s never ran", name)
			}
			return
		case strings.HasPrefix(strings.ToLower(command[0]), "eval"):
			n, err := strconv.Atoi(command[2])
			require.NoError(t, err)
			declared, tags = map[string]bool{}, map[string]bool{}
			for _, key := range command[3 : 3+n] {
				declared[key] = true
				tags[hashTag(key)] = true
			}
			require.Len(t, tags, 1, "keys of several slots: %v", command)
			used[names[command[1]]] = true
		case line.lua:
			for _, key := range keysOf(command) {
				require.True(t, declared[key], "a script touched %q, which it had not declared: %v", key, command)
			}
		}
	}
	t.Fatal("MONITOR ended early")
}

// monitored is a command that a client sent, or that a script ran.
type monitored struct {
	words []string
	lua   bool
}

func monitor(t *testing.T, server *redistest.Server) <-chan monitored {
	conn, err := net.Dial("tcp", server.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("MONITOR\r\n"))
	require.NoError(t, err)
	scanner := bufio.NewScanner(conn)
	scanner.Buffer(nil, 16<<20)
	require.True(t, scanner.Scan(), "MONITOR begins with +OK")
	all := make(chan monitored, 1<<20) // the suite must not wait for this test: the server would cut MONITOR off
	go func() {
		defer close(all)
		for scanner.Scan() {
			source, quoted, ok := strings.Cut(scanner.Text(), "] ")
			if words := unquoteAll(quoted); ok && len(words) > 0 {
				all <- monitored{words: words, lua: strings.HasSuffix(source, " lua")}
			}
		}
	}()
	return all
}

// unquoteAll splits "word" "word". The server quotes as Go does.
func unquoteAll(s string) []string {
	var words []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil
		}
		words, s = append(words, word), s[len(quoted):]
	}
	return words
}

func keysOf(command []string) []string {
	switch strings.ToUpper(command[0]) {
	case "TIME":
		return nil
	case "MGET", "DEL":
		return command[1:]
	default:
		return command[1:2]
	}
}

// hashTag is the part of a key that decides on its slot in Cluster.
func hashTag(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, ok := strings.Cut(rest, "}")
	if !ok || tag == "" {
		return key
	}
	return tag
}

// TestScriptsAreOfTheFormThatRedisChecks: with a shebang the server refuses a script that reaches into a slot that
// none of its keys is in, and knows which ones only read.
func TestScriptsAreOfTheFormThatRedisChecks(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("scripts/*.lua")
	require.NoError(t, err)
	scripts := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		text := string(b)
		require.NotContains(t, text, "os.", "%s: no clock but Redis TIME", file)
		if !strings.HasPrefix(text, "#!lua") {
			continue // a part of others
		}
		scripts++
		if strings.Contains(strings.SplitN(text, "\n", 2)[0], "no-writes") {
			require.NotRegexp(t, `'(SET|DEL|HSET|HDEL|ZADD|ZREM|ZREMRANGEBYSCORE|SADD|PEXPIRE|HINCRBY)'`, text, file)
		}
	}
	require.Len(t, open(t, topology{config: configOf("127.0.0.1:1")}).ScriptHashes(), scripts)
}
