package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lmittmann/tint"
)

// nameWidth is the width of the column that says who speaks.
const nameWidth = 15

// logs renders the parts' JSON logs for people: one line each, who speaks in
// front. It is safe for concurrent use.
type logs struct {
	mu    sync.Mutex
	out   io.Writer
	lost  func() // called when the output takes no more
	color bool
}

func newLogs(out *os.File, lost func()) *logs {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &logs{out: out, lost: lost, color: terminal && os.Getenv("NO_COLOR") == ""}
}

// printf writes a line of our own, without a name in front.
func (l *logs) printf(format string, args ...any) {
	l.print(fmt.Sprintf(format+"\n", args...))
}

func (l *logs) print(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := io.WriteString(l.out, text); err != nil {
		l.lost()
	}
}

// logger returns a logger that speaks under a name.
func (l *logs) logger(name string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l.writer(name, nil), nil))
}

// writer returns a sink for a process's output. seen, if not nil, is called with
// every record.
func (l *logs) writer(name string, seen func(record)) io.Writer {
	return &lineWriter{line: func(b []byte) {
		r, ok := parseRecord(b)
		if !ok {
			l.write(name, append(b, '\n'))
			return
		}
		if seen != nil {
			seen(r)
		}
		var text bytes.Buffer
		h := tint.NewTextHandler(&text, &tint.Options{TimeFormat: time.TimeOnly, NoColor: !l.color})
		s := slog.NewRecord(r.time, r.level, r.msg, 0)
		s.AddAttrs(r.attrs...)
		_ = h.Handle(context.Background(), s) // a buffer takes everything
		l.write(name, text.Bytes())
	}}
}

func (l *logs) write(name string, line []byte) {
	prefix := fmt.Sprintf("%-*s │ ", nameWidth, name)
	if l.color {
		h := fnv.New32()
		_, _ = io.WriteString(h, name)
		prefix = fmt.Sprintf("\x1b[3%dm%s\x1b[0m", 1+h.Sum32()%6, prefix)
	}
	l.print(prefix + string(line))
}

// record is one line of a JSON log.
type record struct {
	time  time.Time
	level slog.Level
	msg   string
	attrs []slog.Attr
}

// attr returns the text of an attribute, "" when there is none.
func (r record) attr(key string) string {
	for _, a := range r.attrs {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// parseRecord reads a line as slog's JSON handler writes it, keeping the order of
// the attributes.
func parseRecord(line []byte) (record, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(line))
	if start, err := d.ReadToken(); err != nil || start.Kind() != '{' {
		return record{}, false
	}
	r := record{time: time.Now()}
	for d.PeekKind() == '"' {
		key, err := d.ReadToken()
		if err != nil {
			return record{}, false
		}
		name := key.String()
		raw, err := d.ReadValue()
		if err != nil {
			return record{}, false
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return record{}, false
		}
		switch text, _ := value.(string); name {
		case slog.TimeKey:
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				r.time = at
			}
		case slog.LevelKey:
			_ = r.level.UnmarshalText([]byte(text)) // an unknown level is shown as INFO
		case slog.MessageKey:
			r.msg = text
		case "fn": // it stands in front of the line
		case "duration", "wait", "window": // slog writes nanoseconds
			if ns, ok := value.(float64); ok {
				value = time.Duration(ns).Round(time.Microsecond)
			}
			r.attrs = append(r.attrs, slog.Any(name, value))
		default:
			switch value.(type) {
			case map[string]any, float64: // a number as it was written: 1234567, not 1.234567e+06
				value = string(raw)
			}
			r.attrs = append(r.attrs, slog.Any(name, value))
		}
	}
	return r, r.msg != ""
}

// maxLine bounds what is kept of a line that does not end.
const maxLine = 64 << 10

// lineWriter calls line for every whole line written to it.
type lineWriter struct {
	mu   sync.Mutex
	buf  []byte
	line func([]byte)
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	for {
		i := bytes.IndexByte(w.buf, '\n')
		if i < 0 && len(w.buf) < maxLine {
			return len(p), nil
		}
		if i < 0 {
			i = len(w.buf)
		}
		w.line(bytes.Clone(w.buf[:i]))
		w.buf = w.buf[min(i+1, len(w.buf)):]
	}
}
