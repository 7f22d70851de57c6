// Command bench runs the benchmarks of this project, a suite at a time. It prints a
// table and writes the same figures to build/bench/<suite>.json.
//
// A time by itself says as much about the machine as about the program. So what is
// said of performance are ratios: one benchmark to another, its peer, measured in the
// same run. Which ones, and what they are to reach, is data: see suites.go.
// A target that is missed is reported and fails nothing, since a busy machine misses
// some; a benchmark that fails, or that a ratio names and that did not run, does.
//
// # The JSON file
//
//	name, about  the suite and what it measures
//	when         when the run began, RFC 3339
//	go, os, arch, cpu, procs
//	             what it ran on; procs is GOMAXPROCS, cpu is left out where unknown
//	count        runs of each benchmark; every figure is the median of so many
//	benchtime    how long each run was, as `go test -benchtime` has it
//	benchmarks   name, package, and units: figures by unit, as `go test` names it
//	ratios       by name: value, of and to (benchmarks), unit; where there is a
//	             target, also want (the least to reach) and reached
//	bounds       by name: value, of, unit, under (the target) and reached
//
// Format of the benchmarks' output: https://golang.org/design/14313-benchmark-format.
package main
