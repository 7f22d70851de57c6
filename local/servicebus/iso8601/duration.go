// Package iso8601 reads and writes durations such as P14D and PT1M30S, to the
// nanosecond.
//
// Days are 24 hours. Years, months and weeks are refused: Service Bus does
// not use them, and the first two have no fixed length. Durations longer than
// a time.Duration, 292 years, are cut to it: Service Bus has them for "never".
//
// Source: ISO 8601-1:2019, 5.5.2; XML Schema 1.1 part 2, 3.3.6 duration.
package iso8601

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Errors callers may test for.
var (
	ErrSyntax      = errors.New("not an ISO 8601 duration of days, hours, minutes and seconds, such as PT1M")
	ErrNotPositive = errors.New("not positive")
)

// Never is how Service Bus writes "does not end": .NET's TimeSpan.MaxValue.
const Never = "P10675199DT2H48M5.4775807S"

const (
	day     = 24 * time.Hour
	longest = time.Duration(math.MaxInt64)

	// Clients cut Never to what their own types hold (Python's to the
	// microsecond, Go's to 292 years), so anything near it has to do.
	forever = 100 * 365 * day
)

// Parse reads a duration. Each unit occurs once at most, the largest first.
func Parse(s string) (time.Duration, error) {
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" || strings.HasSuffix(rest, "T") {
		return 0, ErrSyntax
	}
	var total time.Duration
	afterT, last := false, longest
	for rest != "" {
		if rest[0] == 'T' && !afterT {
			afterT, rest = true, rest[1:]
			continue
		}
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if n <= 0 {
			return 0, ErrSyntax
		}
		u := unit(rest[n], afterT)
		if u == 0 || u >= last {
			return 0, ErrSyntax
		}
		value, err := amount(rest[:n], u)
		if err != nil {
			return 0, err
		}
		total = add(total, value)
		rest, last = rest[n+1:], u
	}
	return total, nil
}

func unit(letter byte, afterT bool) time.Duration {
	switch {
	case letter == 'D' && !afterT:
		return day
	case letter == 'H' && afterT:
		return time.Hour
	case letter == 'M' && afterT:
		return time.Minute
	case letter == 'S' && afterT:
		return time.Second
	}
	return 0
}

// amount is a number of units. Only seconds have a fraction.
func amount(text string, u time.Duration) (time.Duration, error) {
	whole, fraction, dotted := strings.Cut(text, ".")
	if whole == "" || dotted && (u != time.Second || fraction == "" || strings.Contains(fraction, ".")) {
		return 0, ErrSyntax
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > int64(longest/u) { // too large a number, as there are only digits
		return longest, nil
	}
	value := time.Duration(n) * u
	if dotted {
		digits := (fraction + "0000000000")[:10]
		tenths, err := strconv.ParseInt(digits, 10, 64) // of a nanosecond
		if err != nil {
			return 0, ErrSyntax
		}
		value = add(value, time.Duration((tenths+5)/10))
	}
	return value, nil
}

func add(a, b time.Duration) time.Duration {
	if a > longest-b {
		return longest
	}
	return a + b
}

// Format writes a duration, which is not negative.
func Format(d time.Duration) string {
	if d <= 0 {
		return "PT0S"
	}
	s := "P"
	if days := d / day; days > 0 {
		s += strconv.FormatInt(int64(days), 10) + "D"
	}
	d %= day
	if d == 0 {
		return s
	}
	s += "T"
	if hours := d / time.Hour; hours > 0 {
		s += strconv.FormatInt(int64(hours), 10) + "H"
	}
	d %= time.Hour
	if minutes := d / time.Minute; minutes > 0 {
		s += strconv.FormatInt(int64(minutes), 10) + "M"
	}
	if d %= time.Minute; d > 0 {
		s += strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
	}
	return s
}

// ParsePositive reads a duration that must not be zero.
func ParsePositive(s string) (time.Duration, error) {
	d, err := Parse(s)
	if err == nil && d == 0 {
		err = ErrNotPositive
	}
	return d, err
}

// ParseLimit reads a duration after which something ends. Zero is one that
// does not: of over 100 years.
func ParseLimit(s string) (time.Duration, error) {
	d, err := ParsePositive(s)
	if d > forever {
		d = 0
	}
	return d, err
}

// FormatLimit writes what ParseLimit reads.
func FormatLimit(d time.Duration) string {
	if d == 0 {
		return Never
	}
	return Format(d)
}
