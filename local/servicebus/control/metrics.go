package control

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/contoso/orders/local/servicebus/queue"
)

// metrics reads a broker whenever it is asked to.
type metrics struct{ Source }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("servicebus_"+name, help, labels, nil)
}

var (
	connections = describe("connections", "AMQP connections.")
	links       = describe("links", "Links to queues.")
	messages    = describe("messages", "Messages held, locked or not.", "queue", "state")
	held        = describe("queue_bytes", "Content and session state held, dead letters included.", "queue")
	sent        = describe("sent_total", "Messages accepted from senders, duplicates included.", "queue")
	delivered   = describe("delivered_total", "Deliveries to receivers.", "queue")
	expired     = describe("expired_total", "Messages whose time to live ended.", "queue")
	settled     = describe("settled_total", "Deliveries settled by receivers.", "queue", "outcome")
	groups      = describe("disk_groups_total", "Groups of changes written.")
	changes     = describe("disk_changes_total", "Changes written.")
	failures    = describe("disk_failures_total", "Groups that could not be written.")
	seconds     = describe("disk_write_seconds_total", "Time spent on writing.")
	size        = describe("disk_bytes", "Size of the file.")
	faults      = describe("faults_total", "Faults that have happened, by kind.", "kind")
)

var outcomes = map[queue.Outcome]string{
	queue.Complete: "completed", queue.Abandon: "abandoned", queue.Release: "released",
	queue.Defer: "deferred", queue.DeadLetter: "dead-lettered",
}

// Describe implements prometheus.Collector.
func (m metrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	c, l := m.Peers()
	gauge(connections, float64(c))
	gauge(links, float64(l))
	for _, q := range m.Broker.Queues() {
		counts, totals, name := q.Counts(), q.Totals(), q.Path()
		gauge(messages, float64(counts.Active), name, "active")
		gauge(messages, float64(counts.Scheduled), name, "scheduled")
		gauge(messages, float64(counts.DeadLetters), name, "dead-letter")
		gauge(held, float64(counts.Bytes), name)
		counter(sent, float64(totals.Sent), name)
		counter(delivered, float64(totals.Delivered), name)
		counter(expired, float64(totals.Expired), name)
		for o, text := range outcomes {
			counter(settled, float64(totals.Settled[o]), name, text)
		}
	}
	if m.Disk != nil {
		w := m.Broker.Writes()
		counter(groups, float64(w.Groups))
		counter(changes, float64(w.Changes))
		counter(failures, float64(w.Failures))
		counter(seconds, w.Took.Seconds())
		gauge(size, float64(m.Disk()))
	}
	for kind, n := range m.Faults.Counts() {
		counter(faults, float64(n), string(kind))
	}
}
