package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

const startTimeout = 20 * time.Second

// broker is a running process.
type broker struct {
	cmd       *exec.Cmd
	errors    bytes.Buffer // what it wrote to standard error
	listening chan string  // how to connect; closed at its end
}

// launch starts the broker on a data directory.
func launch(t *testing.T, binary, config, data string) *broker {
	t.Helper()
	b := &broker{cmd: exec.Command(binary, "-addr", "127.0.0.1:0", "-config", config, "-data", data), listening: make(chan string, 1)}
	b.cmd.Stderr = &b.errors
	stdout, err := b.cmd.StdoutPipe()
	must(t, err)
	must(t, b.cmd.Start())
	t.Cleanup(func() { b.end(t) })
	go func() {
		defer close(b.listening)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var line struct{ Msg, Connect, Error string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
				b.listening <- line.Connect
			} else if line.Error != "" {
				t.Errorf("the broker says %s", lines.Bytes())
			}
		}
	}()
	return b
}

// connection waits until the broker listens, and says how to connect.
func (b *broker) connection(t *testing.T) string {
	t.Helper()
	connect := ""
	select {
	case connect = <-b.listening:
	case <-time.After(startTimeout):
	}
	if connect == "" {
		b.kill(t)
		t.Fatal("the broker does not listen")
	}
	return connect
}

// kill ends the process as nothing else does: without a word.
func (b *broker) kill(t *testing.T) {
	t.Helper()
	_ = b.cmd.Process.Kill() // it may have ended, which is found out next
	b.wait(t)
}

// end ends a process that is still there because the test has failed, and
// shows what it was at.
func (b *broker) end(t *testing.T) {
	if b.cmd.ProcessState == nil {
		_ = b.cmd.Process.Signal(syscall.SIGQUIT)
		b.wait(t)
	}
}

func (b *broker) wait(t *testing.T) {
	t.Helper()
	for range b.listening {
	}
	_ = b.cmd.Wait() // "signal: killed"
	if b.errors.Len() > 0 {
		t.Errorf("the broker wrote to standard error\n%s", b.errors.String())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
