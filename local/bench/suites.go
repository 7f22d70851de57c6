package main

import "time"

// suite is a set of benchmarks that are run and reported together.
type suite struct {
	name     string // of the make target, bench-<name>, and of the JSON file
	about    string // what it measures, in one line
	packages []string
	match    string // regular expression of the benchmarks, as for go test -bench
	ratios   []ratio
	bounds   []bound
}

// ratio compares one benchmark with its peer in the same run: of divided by to.
type ratio struct {
	name    string
	of, to  string  // benchmarks, without the -GOMAXPROCS suffix
	unit    string  // what is compared, a unit of both
	atLeast float64 // what is to be reached; 0 for no target. Then more must be better
}

// bound is an absolute target, for what has no peer: a person or a laptop sets it.
type bound struct {
	name  string
	of    string
	unit  string
	under float64
}

var suites = []suite{
	{
		name:     "servicebus",
		about:    "the local Service Bus broker through Azure's own client: durable queues and queues in memory",
		packages: []string{"./local/servicebus/servicebus"},
		match:    ".",
		ratios: []ratio{
			{name: "durable batches, one at a time / in memory", of: "BenchmarkSendBatchOf100/store=disk/goroutines=1", to: "BenchmarkSendBatchOf100/store=memory/goroutines=1", unit: "messages/s", atLeast: 0.5},
			{name: "durable batches, 8 at once / in memory", of: "BenchmarkSendBatchOf100/store=disk/goroutines=8", to: "BenchmarkSendBatchOf100/store=memory/goroutines=8", unit: "messages/s", atLeast: 0.5},
			{name: "durable sends, 32 at once / in memory", of: "BenchmarkSend/store=disk/goroutines=32", to: "BenchmarkSend/store=memory/goroutines=32", unit: "messages/s", atLeast: 0.25},
			{name: "durable sends, one at a time / in memory", of: "BenchmarkSend/store=disk/goroutines=1", to: "BenchmarkSend/store=memory/goroutines=1", unit: "messages/s"},
			{name: "durable receive and complete, 32 at once / in memory", of: "BenchmarkReceiveAndComplete/store=disk/goroutines=32", to: "BenchmarkReceiveAndComplete/store=memory/goroutines=32", unit: "messages/s"},
			{name: "durable accept, drain, close / in memory", of: "BenchmarkAcceptDrainClose/store=disk", to: "BenchmarkAcceptDrainClose/store=memory", unit: "cycles/s"},
		},
		bounds: []bound{
			{name: "start, in memory", of: "BenchmarkStart/store=memory", unit: "ns/op", under: float64(100 * time.Millisecond)},
			{name: "start, durable", of: "BenchmarkStart/store=disk", unit: "ns/op", under: float64(100 * time.Millisecond)},
			{name: "resident memory when idle, in memory", of: "BenchmarkStart/store=memory", unit: "idle-MB", under: 30},
			{name: "resident memory when idle, durable", of: "BenchmarkStart/store=disk", unit: "idle-MB", under: 30},
		},
	},
	{
		name:     "pipeline",
		about:    "accept and process-session against the local broker, its messages in memory, and SQLite, its rows on disk",
		packages: []string{"./functions/accept", "./functions/process-session"},
		match:    ".",
		ratios: []ratio{
			{name: "accept / the same handler without the send, 64 connections", of: "BenchmarkAccept/send=broker/connections=64", to: "BenchmarkAccept/send=none/connections=64", unit: "orders/s", atLeast: 0.7},
			{name: "accept / the same handler without the send, 16 connections", of: "BenchmarkAccept/send=broker/connections=16", to: "BenchmarkAccept/send=none/connections=16", unit: "orders/s"},
			{name: "accept / the same handler without the send, 1 connection", of: "BenchmarkAccept/send=broker/connections=1", to: "BenchmarkAccept/send=none/connections=1", unit: "orders/s"},
			{name: "accept / the bare SDK sender, 64 at once", of: "BenchmarkAccept/send=broker/connections=64", to: "BenchmarkBareSender/goroutines=64", unit: "orders/s"},
			{name: "processing / the bare SDK loop, 100 orders a session", of: "BenchmarkProcess/orders-per-session=100", to: "BenchmarkBareLoop/orders-per-session=100", unit: "orders/s", atLeast: 0.7},
			{name: "processing / the bare SDK loop, 1 order a session", of: "BenchmarkProcess/orders-per-session=1", to: "BenchmarkBareLoop/orders-per-session=1", unit: "orders/s", atLeast: 0.7},
		},
	},
	{
		name:     "store",
		about:    "the SQLite store: saving orders one by one and in batches, reading them",
		packages: []string{"./shared/store/sqlite"},
		match:    ".",
		ratios: []ratio{
			{name: "orders saved in batches of 10 / one by one", of: "BenchmarkSave/10", to: "BenchmarkSave/1", unit: "orders/s"},
			{name: "orders saved in batches of 100 / one by one", of: "BenchmarkSave/100", to: "BenchmarkSave/1", unit: "orders/s"},
			{name: "100 of the largest orders / 100 small ones", of: "BenchmarkSaveLargest", to: "BenchmarkSave/100", unit: "ns/op"},
			{name: "a batch of 10 saved again / for the first time", of: "BenchmarkSaveAgain", to: "BenchmarkSave/10", unit: "ns/op"},
			{name: "listing 50 orders of 1000 / getting one", of: "BenchmarkList", to: "BenchmarkGet", unit: "ns/op"},
		},
	},
	{
		name:     "registry",
		about:    "the registry of outcomes and live connections, on redis-server and on miniredis",
		packages: []string{"./shared/registry"},
		match:    ".",
		ratios: []ratio{
			{name: "registering a tab that has 10 outcomes to catch up / recording one", of: "BenchmarkRegister/redis-server", to: "BenchmarkRecord/redis-server", unit: "ns/op"},
			{name: "recording and registering in turn / only recording", of: "BenchmarkRecordAndRegister/redis-server", to: "BenchmarkRecord/redis-server", unit: "ns/op"},
			{name: "recording on miniredis / on redis-server", of: "BenchmarkRecord/miniredis", to: "BenchmarkRecord/redis-server", unit: "ns/op"},
			{name: "registering on miniredis / on redis-server", of: "BenchmarkRegister/miniredis", to: "BenchmarkRegister/redis-server", unit: "ns/op"},
		},
	},
	{
		name:     "hub",
		about:    "the WebSocket hub: pushes over real sockets until they are acknowledged, and its index",
		packages: []string{"./functions/ws-hub"},
		match:    ".",
		ratios: []ratio{
			{name: "a push among 100 at once / a push alone", of: "BenchmarkDeliver/100", to: "BenchmarkDeliver/1", unit: "µs/push"},
			{name: "a push among 1000 at once / a push alone", of: "BenchmarkDeliver/1000", to: "BenchmarkDeliver/1", unit: "µs/push"},
			{name: "finding the customer among 10,000 / a push alone", of: "BenchmarkIndex", to: "BenchmarkDeliver/1", unit: "ns/op"},
		},
	},
}
