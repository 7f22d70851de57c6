package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/problem"
	"github.com/contoso/orders/shared/registry"
	"github.com/go-json-experiment/json"
	"github.com/julienschmidt/httprouter"
)

const (
	pushPath     = "/internal/push"
	maxPushBytes = 4 << 20
)

// pushRoutes are those of the push port.
func (h *hub) pushRoutes() http.Handler {
	r := httprouter.New()
	r.Handler(http.MethodPost, pushPath, problem.Handler(h.push))
	return r
}

func (h *hub) push(w http.ResponseWriter, r *http.Request) error {
	if _, err := h.pushers.Caller(r); err != nil {
		return err
	}
	p, err := readPush(w, r)
	if err != nil {
		return err
	}
	return writeJSON(w, h.deliver(r.Context(), p))
}

// readPush reads the body strictly: what a newer caller means by a member that is
// not known here must not be guessed.
func readPush(w http.ResponseWriter, r *http.Request) (envelope.Push, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return envelope.Push{}, fault.New(fault.UnsupportedMedia, "a push is application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPushBytes))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return envelope.Push{}, fault.New(fault.TooLarge, "a push has at most %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return envelope.Push{}, fault.Wrap(fault.Malformed, err, "the body ends early")
	}
	var p envelope.Push
	if err := json.Unmarshal(body, &p, json.RejectUnknownMembers(true)); err != nil {
		return envelope.Push{}, fault.Wrap(fault.Malformed, err, "the body is not a push")
	}
	return p, checkPush(p)
}

func checkPush(p envelope.Push) error {
	var bad []fault.Field
	for i, d := range p.Deliveries {
		at := "/deliveries/" + strconv.Itoa(i)
		if d.Customer == "" {
			bad = append(bad, fault.Field{Pointer: at + "/customer", Detail: "is required"})
		}
		if len(d.Events) < 1 || len(d.Events) > registry.MaxBatch {
			bad = append(bad, fault.Field{Pointer: at + "/events", Detail: "must have 1 to " + strconv.Itoa(registry.MaxBatch) + " elements"})
			continue
		}
		for j, e := range d.Events {
			at := at + "/events/" + strconv.Itoa(j)
			if !bytes.HasPrefix(e.Event, []byte("{")) {
				bad = append(bad, fault.Field{Pointer: at + "/event", Detail: "must be an object"})
			}
			if e.Number < 0 || (e.Number > 0) != (d.Epoch != "") {
				bad = append(bad, fault.Field{Pointer: at + "/number", Detail: "must be positive with an epoch, and absent without"})
			}
		}
	}
	if len(bad) > 0 {
		return &fault.Error{Kind: fault.Invalid, Detail: "the push has values that are not allowed", Fields: bad}
	}
	return nil
}

// deliver hands every event to its connections, and waits for the tabs to answer,
// for all of them together no longer than PushAckWait.
func (h *hub) deliver(ctx context.Context, p envelope.Push) envelope.PushReply {
	reply := envelope.PushReply{Receipts: []envelope.Receipt{}}
	var waiting []*receipt // beside reply.Receipts; nil for gone
	for _, d := range p.Deliveries {
		outcomes := make([]outcome, len(d.Events))
		for i, e := range d.Events {
			outcomes[i] = newOutcome(d.Epoch, e.Number, e.Event)
		}
		note := func(connection string, r *receipt) {
			reply.Receipts = append(reply.Receipts, envelope.Receipt{Customer: d.Customer, Connection: connection, State: envelope.Gone})
			waiting = append(waiting, r)
		}
		for _, id := range d.Connections {
			var r *receipt
			if s := h.index.find(d.Customer, id); s != nil {
				r = s.deliver(outcomes)
			}
			note(id, r)
		}
		if len(d.Connections) > 0 {
			continue
		}
		for _, s := range h.index.of(d.Customer) {
			if r := s.deliver(outcomes); r != nil {
				note(s.id, r)
			}
		}
	}

	ctx, cancel := context.WithTimeout(ctx, h.cfg.PushAckWait)
	defer cancel()
	for i, r := range waiting {
		if r != nil {
			reply.Receipts[i].State = r.wait(ctx)
		}
		pushes.WithLabelValues(string(reply.Receipts[i].State)).Inc()
	}
	return reply
}

// deliver hands outcomes to the session; nil when it is not live.
func (s *session) deliver(outcomes []outcome) *receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (s.phase != live && s.phase != joining) || s.dead.Load() {
		return nil
	}
	r := newReceipt(s, len(outcomes))
	if s.phase == joining {
		if len(s.held)+len(outcomes) > maxHeld {
			s.slow("pushes held back overflow")
			return nil
		}
		for _, o := range outcomes {
			s.held = append(s.held, heldOutcome{o, r})
		}
		return r
	}
	p := packer{session: s}
	for _, o := range outcomes {
		p.add(o, r)
	}
	p.flush()
	if s.dead.Load() { // that was too much for it
		return nil
	}
	return r
}
