package redisstore

import (
	"embed"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

// scripts are the Lua programs. Each changes what belongs together in one atomic step, declares every key that it
// touches, knows no clock but Redis TIME, and can be sent twice.
type scripts struct {
	pin, bind, rehome, end, update, touch, due, sweep, purge, read, ended, history, members, once, report, mark, instances *redis.Script
}

func loadScripts() scripts {
	return scripts{
		pin: loadScript("pin"), bind: loadScript("bind"), rehome: loadScript("rehome"), end: loadScript("end"), update: loadScript("update"),
		touch: loadScript("touch"), due: loadScript("due"), sweep: loadScript("sweep"), purge: loadScript("purge"),
		read: loadScript("read"), ended: loadScript("ended"), history: loadScript("history"), members: loadScript("members"),
		once: loadScript("once"), report: loadScript("report"), mark: loadScript("mark"), instances: loadScript("instances"),
	}
}

// loadScript puts the parts that a script's "--include" line names behind its "#!lua" line, since Redis lets no
// script load another.
func loadScript(name string) *redis.Script {
	shebang, rest, _ := strings.Cut(scriptText(name), "\n")
	include, body, _ := strings.Cut(rest, "\n")
	var src strings.Builder
	src.WriteString(shebang + "\n")
	for _, part := range strings.Fields(strings.TrimPrefix(include, "--include")) {
		src.WriteString(scriptText(part))
	}
	src.WriteString(body)
	return redis.NewScript(src.String())
}

// scriptText panics for a file that is not embedded: the program is built wrong.
func scriptText(name string) string {
	b, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err)
	}
	return string(b)
}
