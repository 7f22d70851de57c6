package fn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"
)

type inner struct {
	URL string `env:"URL, required" help:"where it is"`
}

type config struct {
	Inner inner         `env:", prefix=INNER_"`
	Wait  time.Duration `env:"WAIT, default=2s" help:"how long to wait"`
	Limit int           `env:"LIMIT, default=10" help:"how many"`
}

func (c *config) Validate() error {
	if c.Limit > 100 {
		return fmt.Errorf("LIMIT must be at most 100, got %d", c.Limit)
	}
	return nil
}

func TestConfigIsRead(t *testing.T) {
	var cfg config
	err := Config(t.Context(), envconfig.MapLookuper(map[string]string{"INNER_URL": "u", "LIMIT": "7"}), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Inner.URL != "u" || cfg.Wait != 2*time.Second || cfg.Limit != 7 {
		t.Errorf("config = %+v", cfg)
	}
}

type strict struct {
	Name string `env:"NAME"`
}

func (s strict) Validate() error {
	if s.Name == "" {
		return errors.New("NAME must not be empty")
	}
	return nil
}

func TestStructsWithinAreCheckedToo(t *testing.T) {
	var cfg struct{ One strict }
	if err := Config(t.Context(), envconfig.MapLookuper(nil), &cfg); err == nil || !strings.Contains(err.Error(), "NAME must not be empty") {
		t.Errorf("error = %v", err)
	}
}

func TestBadConfigNamesTheVariable(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"INNER_URL": {},
		"LIMIT":     {"INNER_URL": "u", "LIMIT": "1000"},
		"Wait":      {"INNER_URL": "u", "WAIT": "soon"},
	} {
		var cfg config
		if err := Config(t.Context(), envconfig.MapLookuper(env), &cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to name %s", err, want)
		}
	}
}

func runMain(args []string, run func(context.Context, envconfig.Lookuper) error) (code int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	code = main("demo", args, &out, &errOut, run)
	return code, out.String(), errOut.String()
}

func withConfig(ctx context.Context, env envconfig.Lookuper) error {
	var cfg config
	if err := Config(ctx, env, &cfg); err != nil {
		return err
	}
	return errors.New("ran")
}

func TestHelpListsTheConfigurationAndRunsNothing(t *testing.T) {
	code, out, _ := runMain([]string{"--help"}, withConfig)
	if code != 0 {
		t.Errorf("exit code = %d, want 0", code)
	}
	for _, want := range []string{"demo", "INNER_URL  required    where it is", "WAIT       default 2s  how long to wait", "LIMIT"} {
		if !strings.Contains(out, want) {
			t.Errorf("help lacks %q:\n%s", want, out)
		}
	}
}

func TestArgumentsAreRefused(t *testing.T) {
	code, _, errOut := runMain([]string{"--port", "80"}, withConfig)
	if code != 2 || !strings.Contains(errOut, "demo --help") {
		t.Errorf("exit code = %d, stderr = %q", code, errOut)
	}
}

func TestFailureIsLoggedAndExits1(t *testing.T) {
	code, out, _ := runMain(nil, func(context.Context, envconfig.Lookuper) error { return errors.New("the queue is away") })
	if code != 1 || !strings.Contains(out, "the queue is away") || !strings.Contains(out, `"fn":"demo"`) {
		t.Errorf("exit code = %d, log = %s", code, out)
	}
}

type broken struct{}

func (broken) Close() error { return errors.New("half open") }

func TestCloseKeepsBothErrors(t *testing.T) {
	err := errors.New("work")
	Close(&err, "sender", broken{})
	if s := err.Error(); !strings.Contains(s, "work") || !strings.Contains(s, "closing sender: half open") {
		t.Errorf("error = %v", err)
	}
}
