package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Data string `help:"Directory of what lasts." default:".data" env:"DATA_DIR" type:"path"`
	Port int    `help:"Port of the page." default:"8080" env:"PORT"`

	Run struct{} `cmd:"" default:"1" help:"Run everything until Ctrl-C."`
	Fn  struct {
		Name string `arg:"" help:"Function to run, for example accept."`
		In   string `help:"File to post or enqueue to it, once it is up." type:"existingfile"`
	} `cmd:"" help:"Run one function in the foreground, in place of the running stack's own."`
	Forget struct{} `cmd:"" help:"Remove what lasts."`
	Guard  struct{} `cmd:"" hidden:"" help:"End the parts when up is killed."`
}

func main() {
	var c cli
	command := kong.Parse(&c, kong.Name("up"), kong.Description("Runs the order platform on this machine."), kong.UsageOnError())
	if command.Command() == "guard" {
		guard()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { // the second signal does not wait for anyone
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		<-again
		killAll()
		os.Exit(1)
	})
	// When nobody reads the output any more, a write must fail, not kill us and
	// leave the parts behind. It then ends the stack like a signal.
	signal.Ignore(syscall.SIGPIPE)
	ctx, lost := context.WithCancel(ctx)
	err := c.run(ctx, command.Command(), newLogs(os.Stdout, lost))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "up:", err)
		os.Exit(1)
	}
}

func (c *cli) run(ctx context.Context, command string, logs *logs) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the other binaries: %w", err)
	}
	s := settings{
		bin: filepath.Dir(executable), data: c.Data, port: c.Port,
		queues: "infra/servicebus/queues.json", manifests: "keda", spa: "build/spa",
	}
	if os.Getenv("APP_ENV") == "production" {
		return fmt.Errorf("this runs stand-ins for development, and refuses APP_ENV=production")
	}
	if command == "forget" {
		return forgetData(c.Data)
	}
	endGuard, err := startGuard(executable)
	if err != nil {
		return err
	}
	defer endGuard()
	if command == "run" {
		return runStack(ctx, s, logs)
	}
	return runFunction(ctx, s, logs, c.Fn.Name, c.Fn.In)
}
