// Package fault makes a broker misbehave on demand, so that its clients'
// handling of it can be tested.
//
// A fault is written KIND?NAME=VALUE&…, as on the command line and in the URLs
// of the control endpoint:
//
//	server-busy?queue=orders&count=3
//	delay?delay=200ms&for=10s
//	drop-connection?after=5s&every=2s&count=4
//
// Kinds that happen at once:
//
//	lose-session-lock  session locks end as if their time had come
//	lose-message-lock  locks on messages of queues without sessions do
//	detach-link        links are detached with amqp:link:detach-forced
//	drop-connection    connections are reset
//
// Kinds that last, and happen to what clients do meanwhile:
//
//	server-busy    sends, new links and requests are refused with com.microsoft:server-busy
//	refuse-sends   sends are refused as if the queue were full
//	delay          answers to sends, settlements and requests come late, by delay
//	deliver-twice  a completed message is delivered again, charged, as if the completion had
//	               been lost; without count, each time, until it ends as a dead letter
//	fail-disk      nothing can be written
//
// Names:
//
//	queue    only this one; without it, all
//	session  only this one, of lose-session-lock
//	after    wait so long before the first
//	every    of what happens at once: again after so long, count times in all
//	count    of what lasts: no more than so many times
//	for      of what lasts: no longer than this
//	delay    of kind delay: how late, 1 s by default
//
// Settlements are not refused as busy: azservicebus v1.11 tries them again and
// then takes them for done. deliver-twice has the same effect and needs no luck.
//
// A fault without count and for lasts until it is cleared.
package fault
