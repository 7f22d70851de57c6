// Package control is a broker's endpoint for who runs it: health, metrics and
// faults, over plain HTTP on a loopback address, without authentication.
//
//	GET    /healthz         200 "ok"; 503 and why while the disk cannot be written,
//	                        or could not be a moment ago
//	GET    /metrics         Prometheus text format
//	GET    /faults          the faults that go on, as JSON
//	POST   /faults/KIND?…   starts one; package fault lists kinds and names
//	DELETE /faults/ID       ends one
//	DELETE /faults          ends all
//
// For example:
//
//	curl -X POST 'http://127.0.0.1:5673/faults/server-busy?queue=orders&count=3'
package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
)

// Source is what is reported on.
type Source struct {
	Broker *queue.Broker
	Faults *fault.Set
	Peers  func() (connections, links int)
	Disk   func() int64 // octets; nil: memory only
}

// New serves a broker's control endpoint.
func New(s Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /faults", s.list)
	mux.HandleFunc("POST /faults/{kind}", s.inject)
	mux.HandleFunc("DELETE /faults/{id}", s.clear)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.Faults.ClearAll()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// failureLasts is how long a failed write is held against the disk when nothing
// has been written since.
const failureLasts = 5 * time.Second

func (s Source) health(w http.ResponseWriter, _ *http.Request) {
	writes := s.Broker.Writes()
	if writes.Err != nil && (writes.Waiting > 0 || time.Since(writes.FailedAt) < failureLasts) {
		http.Error(w, writes.Err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s Source) list(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, s.Faults.List())
}

func (s Source) inject(w http.ResponseWriter, r *http.Request) {
	f, err := fault.Parse(r.PathValue("kind") + "?" + r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if f.Queue != "" {
		if _, err := s.Broker.Queue(f.Queue); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
	}
	write(w, http.StatusCreated, s.Faults.Inject(f))
}

func (s Source) clear(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || !s.Faults.Clear(id) {
		http.Error(w, fmt.Sprintf("no fault %q goes on", r.PathValue("id")), http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a peer that is gone needs no answer
}
