// Package contract is what the platform says on the wire, for those who build
// against it:
//
//	openapi.yaml    OpenAPI 3.1: every route, status code and header of the public API
//	asyncapi.yaml   AsyncAPI 3.0: the queues' messages and the hub's methods
//	schemas/*.json  JSON Schema 2020-12: every body and message, once; the other two
//	                refer to them by relative path
//
// Where the code refuses members that it does not know, the schema is closed
// (additionalProperties: false). Where members may be added, to answers and to a
// version's data, it is open, so that a client that validates is not broken by
// one. The tests close these too: what the code sends and a schema does not list
// fails a test until it is in the contract.
//
// The documents follow the code. Package contracttest checks real answers against
// them, in the tests of the functions that give these.
//
// Sources: OpenAPI 3.1.1, AsyncAPI 3.0.0, JSON Schema 2020-12, RFC 9457,
// CloudEvents 1.0.2.
package contract

import "embed"

// The names of the documents in [Files]. Schemas are in [SchemaDir].
const (
	OpenAPI   = "openapi.yaml"
	AsyncAPI  = "asyncapi.yaml"
	SchemaDir = "schemas"
)

// Files holds the documents, laid out so that their relative references resolve.
//
//go:embed openapi.yaml asyncapi.yaml schemas/*.json
var Files embed.FS
