package iso8601_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/iso8601"
)

const day = 24 * time.Hour

func TestDurationsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1M":              time.Minute,
		"P14D":              14 * day,
		"P1DT2H3M":          26*time.Hour + 3*time.Minute,
		"PT0.25S":           250 * time.Millisecond,
		"PT1H0.05S":         time.Hour + 50*time.Millisecond,
		"PT0S":              0,
		"P36525DT0.000001S": 36525*day + time.Microsecond,

		"P106751DT23H47M16.854775807S": math.MaxInt64,
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

func TestOtherWaysToWriteADurationAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT60M0S":                    time.Hour, // as Go's SDK had it
		"PT336H":                     14 * day,  // as Java has it
		"P0DT00H01M00.000S":          time.Minute,
		"PT0.00000000049S":           0,
		"PT0.0000000005S":            1,
		"PT0.9999999999S":            time.Second,
		iso8601.Never:                math.MaxInt64,
		"PT256204778H48M5.4775807S":  math.MaxInt64, // Java's
		"P10675199DT2H48M5.477539S":  math.MaxInt64, // Python's
		"PT99999999999999999999999S": math.MaxInt64,
		"P106751DT24H":               math.MaxInt64,
	} {
		if got, err := iso8601.Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestWhatIsNoDurationIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "P", "PT", "1M", "P1M", "P1Y", "P1W", "PT1", "PT-1M", "PT1M1H", "PT1M1M", "P1.5D", "PT1.2.3S", "PTT1M",
		"P1DT", "-PT1M", "PT.5S", "PT5.S", "PT1H2D", " PT1M", "pt1m",
	} {
		if d, err := iso8601.Parse(text); !errors.Is(err, iso8601.ErrSyntax) {
			t.Errorf("Parse(%q) = %v, %v; want ErrSyntax", text, d, err)
		}
	}
}

func TestALimitOfOverACenturyIsNone(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1S":                      time.Second,
		"P36500D":                   36500 * day,
		"P36501D":                   0,
		"P106751DT23H47M16S":        0,
		"PT256204778H48M5.4775807S": 0,
		iso8601.Never:               0,
	} {
		got, err := iso8601.ParseLimit(text)
		if err != nil || got != want {
			t.Errorf("ParseLimit(%q) = %v, %v; want %v", text, got, err, want)
		}
		if back, err := iso8601.ParseLimit(iso8601.FormatLimit(got)); err != nil || back != got {
			t.Errorf("%v is written %q and read %v, %v", got, iso8601.FormatLimit(got), back, err)
		}
	}
	if _, err := iso8601.ParseLimit("PT0S"); !errors.Is(err, iso8601.ErrNotPositive) {
		t.Errorf("error %v for no time at all, want ErrNotPositive", err)
	}
	if _, err := iso8601.ParsePositive("PT0.0S"); !errors.Is(err, iso8601.ErrNotPositive) {
		t.Errorf("error %v for no time at all, want ErrNotPositive", err)
	}
	if _, err := iso8601.ParseLimit("never"); !errors.Is(err, iso8601.ErrSyntax) {
		t.Errorf("error %v, want ErrSyntax", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("P1DT2H3M4.5S")
	f.Add(iso8601.Never)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := iso8601.Parse(text)
		if err != nil {
			return
		}
		if again, err := iso8601.Parse(iso8601.Format(d)); err != nil || again != d || d < 0 {
			t.Errorf("%q is %v, which is written %q and read %v, %v", text, d, iso8601.Format(d), again, err)
		}
	})
}
