package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// group is the process group of every part: the guard's. Zero until there is one.
var group atomic.Int64

// startGuard starts a process that notices when we are killed, by the end of a
// pipe that we hold, and then ends the parts. Otherwise they would go on without
// us, on their ports and on the database. end ends it, and any part that is left.
func startGuard(executable string) (end func(), err error) {
	cmd := exec.Command(executable, "guard")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	line, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting guard: %w", err)
	}
	group.Store(int64(cmd.Process.Pid))
	return func() {
		killAll()
		_ = cmd.Wait() // it was killed
		_ = line.Close()
	}, nil
}

// guard is what the guard does: it waits until nobody holds the other end of its
// standard input, and ends its process group.
func guard() {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = syscall.Kill(0, syscall.SIGTERM) // 0 is our own group
	time.Sleep(killAfter)
	_ = syscall.Kill(0, syscall.SIGKILL)
}

// killAll ends every part, and the guard, at once.
func killAll() {
	if id := int(group.Load()); id != 0 { // 0 would be whoever has started us
		_ = syscall.Kill(-id, syscall.SIGKILL)
	}
}
