package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lmittmann/tint"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	out := newOutput(os.Stdout)
	err := run(ctx, os.Args[1:], os.Getenv, out)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		out.log.Error("servicebus failed", "error", err.Error())
		os.Exit(1)
	}
}

// output is where the broker speaks: JSON lines for programs, text and a
// greeting for people.
type output struct {
	log    *slog.Logger
	people bool
}

func newOutput(f *os.File) output {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return output{log: slog.New(slog.NewJSONHandler(f, nil))}
	}
	h := tint.NewTextHandler(f, &tint.Options{TimeFormat: time.TimeOnly, NoColor: os.Getenv("NO_COLOR") != ""})
	return output{log: slog.New(h), people: true}
}

// greet says how to connect. Key and all: whoever reads a terminal has typed
// or left out the key there. It is no log.
func (o output) greet(connection, secure, control string) {
	if !o.people {
		return
	}
	fmt.Printf("\nConnect with\n\n    %s\n\nor over TLS, trusting the certificate of -cert-out, with\n\n    %s\n\n", connection, secure)
	if control != "" {
		fmt.Printf("Health, metrics and faults: http://%s\n\n", control)
	}
	fmt.Print("Ctrl-C ends it.\n\n")
}
