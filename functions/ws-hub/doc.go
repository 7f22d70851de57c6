// Command ws-hub holds the customers' WebSockets and tells every open tab what
// became of its orders. This page is the hub's wire format.
//
// It speaks the SignalR hub protocol, JSON encoding, version 1, over WebSockets
// alone, to the unmodified @microsoft/signalr client. It needs no sticky sessions:
// any replica takes any request.
//
// # Public port (HTTP_ADDR)
//
// A request with an Origin that is not in ALLOWED_ORIGINS gets 403. One without
// an Origin does not come from a page (RFC 6455 §10.2), has to show its
// credential all the same, and is let in. Errors are problem details
// (shared/problem).
//
//	OPTIONS /hub/negotiate, /hub/t/negotiate
//	      CORS preflight: 204.
//	POST /hub/negotiate
//	      Authorization: Bearer <access token, scope orders.read>
//	      200 {"url":"<PUBLIC_URL>/hub/t","accessToken":"<ticket>"}
//	      This is SignalR's redirect: the client goes on at url with the ticket, so
//	      that the access token never stands in a URL. The client resolves url
//	      with new URL(url), so it has to be absolute.
//	      401 token, 403 scope or origin, 503 the issuer's keys are not known.
//	POST /hub/t/negotiate
//	      Authorization: Bearer <ticket>, which is not spent by this
//	      200 {"negotiateVersion":1,"connectionId":"…","connectionToken":"…",
//	           "availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]}
//	      401 ticket.
//	GET /hub/t?id=…&access_token=<ticket>
//	      Upgrades to a WebSocket. Outside of browsers the ticket may be the bearer
//	      token instead. A ticket lives for 30 seconds and is good for one socket;
//	      while the registry is away it is good for any number within them. id is
//	      ignored.
//	      401 ticket bad, used or outlived by its access token; 503 draining.
//
// # Records
//
// Text frames hold one or more whole records: JSON, each ended by 0x1E, here ␞.
//
// The first record from the client is the handshake, {"protocol":"json","version":1}␞,
// answered by {}␞. Anything else is answered by {"error":"…"}␞ and the end. After it:
//
//	type  direction  members                          meaning
//	1     both       target, arguments, invocationId  call of a method; answered by 3
//	                                                  if it has an invocationId
//	2     client     –                                ignored: nothing takes streams
//	3     both       invocationId, result or error    answer to 1 or 4
//	4     client     target, invocationId             answered by 3 with an error
//	5     client     invocationId                     ignored
//	6     both       –                                sign of life. The hub is never
//	                                                  silent for longer than KEEP_ALIVE
//	7     both       error, allowReconnect            the end; see below
//
// Unknown types and members are passed over. A record that cannot be read ends
// the connection.
//
// # Methods
//
// The client calls
//
//	resume({epoch, after})   once, within HANDSHAKE_TIMEOUT of connecting
//	      epoch   string or null: the epoch of the last outcome seen; null or "" for a
//	              fresh tab, which gets no old outcomes
//	      after   the number of that outcome, 0 for none
//	      result  {"epoch":"…","number":n}: where the tab stands now; "" and 0 while
//	              the registry is away
//
// and the hub calls
//
//	outcome({epoch, number, event})
//	      epoch, number   place among the customer's outcomes; "" and 0 when it has
//	                      none, because the registry was away
//	      event           the CloudEvent (shared/envelope), byte for byte
//	resync()              outcomes were missed and are no longer known, or were never
//	                      known to be missed: ask for the status
//
// Only a connection that has called resume gets anything. What it missed comes
// first, oldest first, then what was pushed in the meantime, then the answer: a
// client that has the answer has everything. An outcome that is pushed carries an
// invocationId, and any answer, an error too, acknowledges it; one that is caught
// up carries none. Delivery is at least once, and two outcomes pushed at the same
// time may arrive in either order. A method that does not exist, or is called
// wrongly, is answered by an error and the connection stays.
//
// # The end
//
//	allowReconnect  error
//	true            –              the hub drains, or the access token is about to end
//	absent          the reason     unreadable record, too many connections (the oldest
//	                               goes), not live in time: the client stays away
//
// A slow connection, one whose buffer is full or whose write takes longer than 5
// seconds, is cut without a word: there is no room for one. It comes back and
// catches up.
//
// # Push port (PUSH_ADDR)
//
//	POST /internal/push
//	      Authorization: Bearer <token of PUSH_TOKEN_*>, subject PUSH_TOKEN_SUBJECT
//	      {"deliveries":[{"customer":"…","connections":["…"],"epoch":"…",
//	                      "events":[{"number":7,"event":{…}}]}]}
//	      200 {"receipts":[{"customer":"…","connection":"…","state":"acked"}]}
//	      400 not that, 401 token, 403 subject, 413 over 4 MiB, 422 a value is wrong.
//
// [github.com/contoso/orders/shared/envelope.Push] has the members. A delivery that
// names no connections goes to all live ones of the customer on this replica, and
// those are what its receipts list. The answer comes when every tab has
// acknowledged, or after PUSH_ACK_WAIT. gone means that the connection is not live
// here, or ended before it answered, and that the registry may forget it.
//
// The port stays open until the last socket is closed.
//
// # Registry
//
// A connection is held here first and registered then (shared/registry), with
// pushes held back in between, so nothing falls between catch-up and push. The
// replica is <HOSTNAME>#<boot id>, and its lease names PUSH_URL. When the lease was
// lost or the registry was away, every live connection is registered anew, at a
// limited rate, and catches up from the last outcome before which none is missing;
// so is, at the next heartbeat, one that was pushed an outcome but not the one
// before. While the registry is away connections stay, new ones become live without
// being registered, and pushes reach them as deliveries without connections.
//
// A connection over MAX_CONNECTIONS that is held by another replica is only taken
// off the registry: its tab gets nothing until it reconnects. Without the registry
// the limit holds for each replica.
//
// # Limits
//
//	frame from a client         32 KiB    close code 1009
//	frames queued to a client   64        then it is slow
//	frame to a client           64 KiB, or one event
//	outcomes held at resume     256       then it is slow
//	push body                   4 MiB     413
//	events in one delivery      100       422
//	registrations anew          500/s     per replica
//
// Sources: SignalR's TransportProtocols.md and HubProtocol.md in dotnet/aspnetcore;
// @microsoft/signalr 10, HttpConnection.ts and HubConnection.ts; RFC 6455; the Fetch
// standard, for CORS.
package main
