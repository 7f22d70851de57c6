package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	connections = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "hub_connections", Help: "Open WebSockets; what the hub is scaled on.",
	})
	pushes = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "hub_pushes_total", Help: "Deliveries to one connection, by what became of them.",
	}, []string{"state"})
	resumes = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "hub_resumes_total", Help: "Connections that became live: fresh, caught-up, resync, or unregistered while the registry is away.",
	}, []string{"kind"})
	slowConsumers = promauto.NewCounter(prometheus.CounterOpts{
		Name: "hub_slow_consumers_total", Help: "Connections cut because they took too long to read.",
	})
)
