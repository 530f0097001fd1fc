package instances

import (
	"fmt"
	"strings"
	"time"
)

// Bounds of ProcessConfig.
const (
	// MaxProcesses bounds ProcessConfig.Max: each process takes a port, and beyond this a slip is likelier than a need.
	MaxProcesses       = 4096
	MinProcessDuration = time.Millisecond
	MaxProcessDuration = 24 * time.Hour
	// MinProcessMemory is the least limit: below it nothing starts.
	MinProcessMemory = ByteSize(1 << 20)
	// MinProcessCPU is the least share of a processor that the kernel grants: 1 ms of each 100.
	MinProcessCPU = 0.01
	MaxProcessCPU = 1024
)

// acceptedPortVariable is what a command is told its port by.
const acceptedPortVariable = "${PORT}"

func (c ProcessConfig) validate(report func(key, problem string)) {
	c.validateCommand(report)
	if c.Max < 1 || c.Max > MaxProcesses {
		report("max", fmt.Sprintf("%d is out of range, accepted is 1 to %d", c.Max, MaxProcesses))
	} else if c.Min < 1 || c.Min > c.Max {
		report("min", fmt.Sprintf("%d is out of range, accepted is 1 to max, %d", c.Min, c.Max))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"idle_timeout", c.IdleTimeout}, {"start_timeout", c.StartTimeout}, {"stop_grace", c.StopGrace}} {
		if d.value < MinProcessDuration || d.value > MaxProcessDuration {
			report(d.key, fmt.Sprintf("%s is out of range, accepted is %s to %s", d.value, MinProcessDuration, MaxProcessDuration))
		}
	}
	if c.Memory != 0 && c.Memory < MinProcessMemory {
		report("memory", fmt.Sprintf("%s is too little for a process, accepted is %s or more, or 0 for no limit", c.Memory, MinProcessMemory))
	}
	if c.CPU != 0 && (c.CPU < MinProcessCPU || c.CPU > MaxProcessCPU) {
		report("cpu", fmt.Sprintf("%v is out of range, accepted is %v to %v processors, or 0 for no limit", c.CPU, MinProcessCPU, MaxProcessCPU))
	}
}

func (c ProcessConfig) validateCommand(report func(key, problem string)) {
	const accepted = `accepted is a list of the program and its arguments, such as [./counter, --port, "` + acceptedPortVariable + `"]`
	if len(c.Command) == 0 || c.Command[0] == "" {
		report("command", "has no program, "+accepted)
		return
	}
	for i, word := range c.Command {
		if strings.ContainsRune(word, 0) {
			report(fmt.Sprintf("command[%d]", i), "has a NUL byte, which no argument can have, "+accepted)
		}
	}
}
