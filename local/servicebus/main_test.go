package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const projectQueues = "../../infra/servicebus/queues.json"

func TestBinaryServesTheProjectsQueuesAndEndsWhenTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary, certificate := filepath.Join(dir, "servicebus"), filepath.Join(dir, "cert.pem")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-addr", "127.0.0.1:0", "--config", projectQueues, "-cert-out="+certificate)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var first struct{ Msg, Addr string }
	if !lines.Scan() {
		t.Fatal("no line was logged")
	}
	if err := json.Unmarshal(lines.Bytes(), &first); err != nil || first.Msg != "listening" {
		t.Fatalf("first line %s, error %v", lines.Bytes(), err)
	}

	c, err := azservicebus.NewClientFromConnectionString("Endpoint=sb://"+first.Addr+
		";SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.NewSender("orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendMessage(ctx, &azservicebus.Message{Body: []byte("x"), SessionID: new("s")}, nil); err != nil {
		t.Fatal(err)
	}
	r, err := c.AcceptNextSessionForQueue(ctx, "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReceiveMessages(ctx, 1, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(certificate); err != nil {
		t.Error(err)
	}

	told := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // until the pipe is closed, as Wait requires
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if d := time.Since(told); d > time.Second {
		t.Errorf("took %v to end with a client connected", d)
	}
}

func TestCommandLineIsRefused(t *testing.T) {
	t.Parallel()
	good := []string{"-config", projectQueues}
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"no such file":       {[]string{"-config", "missing.json"}, nil, "missing.json"},
		"all interfaces":     {append(good, "-addr", ":5672"), nil, "not a loopback address"},
		"another interface":  {append(good, "-addr", "192.0.2.1:5672"), nil, "not a loopback address"},
		"a name":             {append(good, "-addr", "example.com:5672"), nil, "not a loopback address"},
		"no port":            {append(good, "-addr", "127.0.0.1"), nil, "missing port"},
		"control for others": {append(good, "-addr", "127.0.0.1:0", "-control", "0.0.0.0:0"), nil, "not a loopback address"},
		"an unknown fault":   {append(good, "-fault", "rain"), nil, "rain"},
		"a stray argument":   {append(good, "start"), nil, `unexpected argument "start"`},
		"in production":      {good, map[string]string{"APP_ENV": "production"}, "APP_ENV=production"},
		"an unknown setting": {append(good, "-durable"), nil, "flag provided but not defined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), test.args, func(k string) string { return test.env[k] }, output{log: slog.New(slog.DiscardHandler)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
}

func TestKeyComesFromFlagThenEnvironmentThenTheEmulator(t *testing.T) {
	t.Parallel()
	env := map[string]string{envKey: "from environment"}
	getenv := func(k string) string { return env[k] }
	o, err := parse([]string{"-config", "x", "-key-name", "from flag"}, getenv)
	if err != nil {
		t.Fatal(err)
	}
	if o.keyName != "from flag" || o.key != "from environment" || o.Addr != "127.0.0.1:5672" {
		t.Errorf("key name %q, value %q, addr %q", o.keyName, o.key, o.Addr)
	}
}
