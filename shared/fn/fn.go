// Package fn is what every function's main has in common: configuration from the
// environment, --help that lists it, JSON logs, an orderly end on SIGTERM.
//
// A function exits 0 when it ended as asked, 1 when it failed (the reason is the
// last line of its log), 2 when it was called wrongly.
package fn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"syscall"

	"github.com/sethvargo/go-envconfig"
)

// errHelp ends a run that was only asked for help.
var errHelp = errors.New("help was asked for")

// Main runs a function under its name and exits the process. The context ends at
// SIGTERM or SIGINT; a second signal kills at once.
func Main(name string, run func(context.Context, envconfig.Lookuper) error) {
	os.Exit(main(name, os.Args[1:], os.Stdout, os.Stderr, run))
}

func main(name string, args []string, stdout, stderr io.Writer, run func(context.Context, envconfig.Lookuper) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop)

	env := envconfig.OsLookuper()
	if len(args) > 0 {
		if len(args) > 1 || (args[0] != "--help" && args[0] != "-help" && args[0] != "-h") {
			_, _ = fmt.Fprintf(stderr, "%s takes no arguments: it is configured by the environment; see %s --help\n", name, name)
			return 2
		}
		env = helpLookuper{name: name, out: stdout}
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(stdout, nil)).With("fn", name))
	switch err := run(ctx, env); {
	case err == nil, errors.Is(err, errHelp):
		return 0
	default:
		slog.Error("function failed", "error", err)
		return 1
	}
}

// Config fills cfg, a pointer to a struct with go-envconfig tags, from the
// environment, and checks it with its Validate method and those of the structs
// within it. Each field may carry a help tag, which --help prints.
func Config(ctx context.Context, env envconfig.Lookuper, cfg any) error {
	if h, ok := env.(helpLookuper); ok {
		h.print(cfg)
		return errHelp
	}
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: cfg, Lookuper: env}); err != nil {
		return fmt.Errorf("reading configuration (--help lists it): %w", err)
	}
	if err := validate(reflect.ValueOf(cfg)); err != nil {
		return fmt.Errorf("checking configuration (--help lists it): %w", err)
	}
	return nil
}

// validate calls the Validate method of a pointer to a struct, and of each struct
// within it that has one, innermost first.
func validate(ptr reflect.Value) error {
	var errs []error
	for i := range ptr.Elem().NumField() {
		field := ptr.Elem().Field(i)
		if field.Kind() == reflect.Struct && ptr.Elem().Type().Field(i).IsExported() {
			errs = append(errs, validate(field.Addr()))
		}
	}
	if v, ok := ptr.Interface().(interface{ Validate() error }); ok {
		errs = append(errs, v.Validate())
	}
	return errors.Join(errs...)
}

// Close closes c and adds what goes wrong to err, saying what c was.
func Close(err *error, what string, c io.Closer) {
	if closeErr := c.Close(); closeErr != nil {
		*err = errors.Join(*err, fmt.Errorf("closing %s: %w", what, closeErr))
	}
}
