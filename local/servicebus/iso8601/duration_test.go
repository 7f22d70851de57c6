package iso8601_test

import (
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/iso8601"
)

func TestDurationsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1M":      time.Minute,
		"P14D":      14 * 24 * time.Hour,
		"P1DT2H3M":  26*time.Hour + 3*time.Minute,
		"PT0.25S":   250 * time.Millisecond,
		"PT1H0.05S": time.Hour + 50*time.Millisecond,
		"PT0S":      0,
	} {
		got, err := iso8601.Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, got, err, want)
		}
		if back := iso8601.Format(want); back != text {
			t.Errorf("Format(%v) = %q, want %q", want, back, text)
		}
	}
}

func TestWhatIsNoDurationIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "P", "PT", "1M", "P1M", "P1Y", "P1W", "PT1", "PT-1M", "PT1M1H", "PT1M1M", "P1.5D", "PT1.2.3S", "PTT1M",
		"P1DT", "P999999D", "P10675199DT2H48M5.4775807S", " PT1M", "pt1m",
	} {
		if d, err := iso8601.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("P1DT2H3M4.5S")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := iso8601.Parse(text)
		if err != nil {
			return
		}
		if again, err := iso8601.Parse(iso8601.Format(d)); err != nil || again != d {
			t.Errorf("%q is %v, which is written %q and read %v, %v", text, d, iso8601.Format(d), again, err)
		}
	})
}
