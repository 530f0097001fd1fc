package main_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the module's directory, seen from this package's.
const root = "../.."

// instruction is one line of a Dockerfile, continuation lines joined.
type instruction struct{ word, rest string }

// stages reads the Dockerfile and splits it at its FROM lines; what comes before the first is stage 0.
func stages(t *testing.T) [][]instruction {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(text), "")
	lines = strings.ReplaceAll(lines, "\\\n", " ")
	list := [][]instruction{nil}
	for line := range strings.Lines(lines) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" {
			continue
		}
		i := instruction{strings.ToUpper(word), strings.TrimSpace(rest)}
		if i.word == "FROM" {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], i)
	}
	return list
}

// all returns what follows word in each of its lines.
func all(stage []instruction, word string) (rests []string) {
	for _, i := range stage {
		if i.word == word {
			rests = append(rests, i.rest)
		}
	}
	return rests
}

func TestTheImageHoldsTheBinaryAndNoShell(t *testing.T) {
	list := stages(t)
	require.Len(t, list, 3, "one stage to build, one to run")
	last := list[2]
	require.Equal(t, []string{"scratch"}, all(last, "FROM"))
	require.Empty(t, all(last, "RUN"))
	require.Empty(t, all(last, "ADD"))
	for _, c := range all(last, "COPY") {
		require.Contains(t, c, "--from=build ", "from the sources comes nothing but what was built")
	}
	require.Equal(t, []string{"65532:65532"}, all(last, "USER"), "by number: without /etc/passwd no name is known")
	require.Equal(t, []string{"8080 9090"}, all(last, "EXPOSE"))

	// The form in brackets; the other one would need a shell.
	var entrypoint, command []string
	require.NoError(t, json.Unmarshal([]byte(all(last, "ENTRYPOINT")[0]), &entrypoint))
	require.NoError(t, json.Unmarshal([]byte(all(last, "CMD")[0]), &command))
	require.Equal(t, []string{"/limpet"}, entrypoint)
	require.Equal(t, []string{"serve", "-c", "/etc/limpet/limpet.yaml"}, command)
}

func TestTheImageIsBuiltWithTheGoOfTheModule(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	require.NotNil(t, version)
	require.Equal(t, []string{"GO_VERSION=" + string(version[1])}, all(stages(t)[0], "ARG"))
	require.Equal(t, []string{"golang:${GO_VERSION} AS build"}, all(stages(t)[1], "FROM"))
}

func TestTheImagesBuildLineMakesAStaticBinary(t *testing.T) {
	var line string
	for _, run := range all(stages(t)[1], "RUN") {
		if strings.Contains(run, "go build") {
			require.Empty(t, line, "one build line")
			line = run
		}
	}
	require.Contains(t, line, "-o /out/limpet ")
	out := t.TempDir()
	build := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(line, "/out/", out+"/"))
	build.Dir = root
	build.Env = append(os.Environ(), "GOOS=linux", "VERSION=v9.8.7-of-the-test", "COMMIT=c0ffee-of-the-test")
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s\n%s", line, said)

	binary := filepath.Join(out, "limpet")
	f, err := elf.Open(binary)
	require.NoError(t, err)
	defer f.Close()
	for _, p := range f.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "it asks for a loader, which the image does not have")
		require.NotEqual(t, elf.PT_DYNAMIC, p.Type, "it asks for shared libraries, which the image does not have")
	}
	require.Nil(t, f.Section(".dynamic"))

	text, err := os.ReadFile(binary)
	require.NoError(t, err)
	require.True(t, bytes.Contains(text, []byte("v9.8.7-of-the-test")), "the version is in it")
	require.True(t, bytes.Contains(text, []byte("c0ffee-of-the-test")), "the commit is in it")
	sources, err := filepath.Abs(root)
	require.NoError(t, err)
	require.False(t, bytes.Contains(text, []byte(sources)), "no path of the machine that built it is in it")
}
