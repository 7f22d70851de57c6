// Package crash tests what -data promises: the broker's process is killed with
// SIGKILL at random moments under load, again and again on the same data
// directory, and after each restart the books of its clients are checked.
//
// The books. What was acknowledged, and what was begun without an answer, is
// noted for each message.
//   - A message whose send was acknowledged is there once, or its completion
//     was begun. One whose send was not is there once at most, however often
//     it was repeated under its id.
//   - A message whose completion, or cancelling, was acknowledged is not there.
//   - What was deferred or dead-lettered, acknowledged, is so still, under its
//     sequence number or with its reason.
//   - A delivery count is not lower than what was acknowledged makes it.
//   - A sequence number is of one message only, ever.
//   - A session's state is the last one acknowledged, or the one begun after.
//
// At the end everything is received and completed, each message once, and a
// last restart finds nothing.
//
// Environment variables:
//
//	CRASH_ROUNDS  how many times the broker is killed, 100 by default
//	CRASH_SEED    of what is random; a failure tells the one to try again.
//	              Clocks and schedulers stay as random as they are
package crash
