// Package admin is the HTTPS management API of Service Bus for queues, as the
// SDKs' administration clients and KEDA use it, at the API versions 2021-05
// and 2024-05. They differ in nothing that is served here; any other, and
// none, is answered 400.
//
//	GET    /{queue}               one queue with its counts
//	PUT    /{queue}               create it, 201; with If-Match: *, update it, 200
//	DELETE /{queue}               delete it with all it holds
//	GET    /$Resources/Queues     a list; $skip, and $top, 100 by default
//	GET    /$Resources/Topics     an empty list
//	GET    /$namespaceinfo        the namespace
//
// Names may hold slashes, encoded or not, and ignore case. What was done is
// on disk, if the broker has one, before it is answered.
//
// # Bodies
//
// A queue is an Atom entry (RFC 4287) with content type application/xml, in it
// a QueueDescription of the namespace
// http://schemas.microsoft.com/netservices/2010/10/servicebus/connect with, in
// any order and each once at most:
//
//	LockDuration, DuplicateDetectionHistoryTimeWindow   ISO 8601 durations
//	DefaultMessageTimeToLive, AutoDeleteOnIdle          the same; over 100 years: never
//	RequiresSession, RequiresDuplicateDetection, EnablePartitioning,
//	DeadLetteringOnMessageExpiration, EnableBatchedOperations   true or false
//	MaxDeliveryCount, MaxSizeInMegabytes, MaxMessageSizeInKilobytes   numbers, 1 or more
//	Status                                              Active, Disabled, SendDisabled, ReceiveDisabled
//	ForwardTo, ForwardDeadLetteredMessagesTo            name of a queue, or a URL that ends in it
//	UserMetadata                                        text
//	AuthorizationRules                                  of AuthorizationRule, see rules.go
//
// What is left out is as on a new queue, also in an update, which replaces
// everything. Three properties are for good: RequiresSession,
// RequiresDuplicateDetection and EnablePartitioning. IsAnonymousAccessible and
// EnableExpress must be false. What only Azure sets, such as counts, is passed
// over, so that what was read can be written back. Anything else is refused.
// A body is 1 MiB at most, of few elements and little nesting.
//
// # Errors
//
// <Error><Code>409</Code><Detail>SubCode=40900. Conflict. … TrackingId:…,
// SystemTracker:…, Timestamp:…</Detail></Error>:
//
//	400  unsupported API version; a description that is wrong, with the property's name
//	401  MissingToken, MalformedToken, InvalidSignature, ExpiredToken or InvalidAudience;
//	     a token without the rights; a forward's token that is missing or wrong
//	404  no such queue
//	409  create: the queue exists; delete: another queue forwards to it
//	413  a body that is too large
//	501  AMQP over WebSockets, at /$servicebus/websocket
//	503  done, but not on disk yet; or the broker is closing
//
// # Tokens
//
// Requests carry a shared access signature in Authorization. It must be for
// the entity or the namespace, and of a rule with the right Manage. A
// description that forwards needs one for the target too, also with Manage, in
// ServiceBusSupplementaryAuthorization for ForwardTo and in
// ServiceBusDlqSupplementaryAuthorization for ForwardDeadLetteredMessagesTo;
// SDKs send them unasked. As on Azure, whether a queue exists is told to any
// valid token.
//
// # Where it differs from Azure
//
// A queue that does not exist is answered 404; Azure sends 200 with an empty
// feed that is called "Publicly Listed Services", which SDKs take for the
// same. Forwards may be bare names, and are always returned as
// https://host/name; Azure wants URLs and returns them as they were written.
// A queue that others forward to cannot be deleted. The size of a partitioned
// queue is as given, where Azure's Standard tier multiplies it by 16, and may
// be any number of megabytes. $top may exceed 100. Unknown elements are
// refused, where Azure passes over some. Topics, subscriptions and rules are
// not supported: to create one is answered 400 as on the Basic tier, and there
// are none to be found.
//
// Sources: Microsoft, "Service Bus resource manager operations",
// https://learn.microsoft.com/rest/api/servicebus/, "Service Bus Resource
// Manager exceptions" and "Chaining Service Bus entities with autoforwarding"
// (for the right that a forward needs),
// https://learn.microsoft.com/azure/service-bus-messaging/; answers of Azure as
// recorded in the tests of its SDKs: azure-sdk-for-net,
// sdk/servicebus/Azure.Messaging.ServiceBus/tests/SessionRecords;
// azure-sdk-for-python, sdk/servicebus/azure-servicebus/tests/mgmt_tests/recordings;
// azure-sdk-for-go, sdk/messaging/azservicebus/admin/admin_client_test.go. That
// an update replaces everything is from azure-sdk-for-java's
// ServiceBusAdministrationClient.updateQueue.
package admin
