// Command up runs the platform on a laptop: every part as a process of its own on
// loopback, with the workers started from zero by the manifests in keda.
//
//	up                     run everything until Ctrl-C
//	up fn NAME [--in FILE] run one function in the foreground, in place of the
//	                       running stack's own; without a stack, start the rest of one
//	up forget              remove what lasts, and nothing that it did not make
//
// What lasts is in one data directory: the SQLite file, the identity provider's
// key, the correlation key. A lock keeps a second stack off it. The broker and the
// embedded Redis keep nothing over a restart.
//
// SERVICEBUS_CONNECTION_STRING, DATABASE_URL and REDIS_URL, when set, are used in
// place of the local part, which then is not started.
//
// A running stack answers on a Unix socket, whose path stands in
// <data>/run/up.json, to the user it runs as:
//
//	GET  /state             what runs: addresses and processes
//	POST /hold/{function}   end the stack's own process of a function and answer with
//	                        the environment to run another; it starts its own again
//	                        when the caller hangs up
//
// Ports are free ones, except the edge's (PORT, 8080). A part that is restarted
// keeps the port it had, so nobody has to be told.
package main
