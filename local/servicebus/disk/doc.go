// Package disk keeps what a queue.Broker holds in one file, by bbolt.
//
// Guarantees. A group of changes is on disk as a whole or not at all: when
// Write returns without an error, it survives the end of the process and of
// the machine. A write that does not fit on the disk changes nothing. One
// process at a time has the file.
//
// # The file
//
// At the top are a bucket for each queue, named by the queue's ID (8 octets,
// big-endian, as all numbers in keys), and the bucket "format", whose key
// "version" holds the decimal number of this layout. A queue's bucket holds
//
//	settings          JSON: path, settings, times
//	sequence          the highest sequence number ever given
//	messages/S        the message with sequence number S, as it came
//	changes/S         what settlements have changed of it since
//	states/SESSION    session state and when it was set ("s" before the id: keys cannot be empty)
//	history/T ID      sequence number of the message with this id, remembered at T (Unix ns)
//
// Messages, changes and states are AMQP lists: the properties that a
// settlement sets are of AMQP types, and come back as they were. Content is
// apart from what changes, so that a delivery count costs no copy of it.
//
// The file does not shrink: what is settled makes room in it for what comes.
//
// # Limits
//
// Opening reads every message: 0.2 to 0.3 s per 100,000 of 512 octets, up to
// 0.5 s if delivery counts have changed and ids are remembered too
// (BenchmarkRecovery, on two busy cores). Free pages are found by reading the
// file's structure, when it is opened and after each write that failed, rather
// than written with each group.
//
// After an I/O error of the disk itself, what it refused may be on it all the
// same: open the file again.
package disk
