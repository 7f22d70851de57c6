// Package iso8601 reads and writes durations such as P14D and PT1M30S.
//
// Days are 24 hours. Years, months and weeks are refused: Service Bus does
// not use them, and the first two have no fixed length.
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

// ErrSyntax is returned for what is not a duration, or one over 292 years.
var ErrSyntax = errors.New("not an ISO 8601 duration of days, hours, minutes and seconds, such as PT1M")

const day = 24 * time.Hour

var units = map[bool]map[byte]time.Duration{
	false: {'D': day},
	true:  {'H': time.Hour, 'M': time.Minute, 'S': time.Second},
}

// Parse reads a duration. Each unit occurs once at most, the largest first.
func Parse(s string) (time.Duration, error) {
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" || strings.HasSuffix(rest, "T") {
		return 0, ErrSyntax
	}
	var total float64
	afterT, last := false, time.Duration(math.MaxInt64)
	for rest != "" {
		if rest[0] == 'T' && !afterT {
			afterT, rest = true, rest[1:]
			continue
		}
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if n <= 0 {
			return 0, ErrSyntax
		}
		unit, known := units[afterT][rest[n]]
		if !known || unit >= last || unit != time.Second && strings.Contains(rest[:n], ".") {
			return 0, ErrSyntax
		}
		value, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil {
			return 0, ErrSyntax
		}
		total += value * float64(unit)
		rest, last = rest[n+1:], unit
	}
	if total >= math.MaxInt64 {
		return 0, ErrSyntax
	}
	return time.Duration(math.Round(total)), nil
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
