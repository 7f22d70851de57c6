// Package envelope is what travels between the functions: CloudEvents 1.0 in
// structured mode, as application/cloudevents+json. This page is the format.
//
// Attributes of every event:
//
//	specversion      "1.0"
//	id               accepted: the CorrelationId; outcomes: <CorrelationId>/<revision>
//	source           the function that speaks: /orders/accept, /orders/process-session
//	type             com.contoso.order.{accepted,completed,rejected,failed}.v1
//	subject          the CorrelationId
//	time             RFC 3339, UTC: when it was accepted or decided
//	datacontenttype  "application/json"
//	data             [Accepted] or [Outcome]
//
// Queue orders carries accepted events, one session per customer; queue
// order-completions carries the other three.
//
// A type's version is part of its name. Members may be added to a version's data,
// so a decoder passes over those it does not know; one that changes its meaning
// makes a new version.
//
// Errors have kind Malformed or Invalid: a message that cannot be understood will
// not be understood at the next delivery either.
//
// Sources: CloudEvents 1.0.2 and its JSON event format.
package envelope
