// Command sessionscaler tells KEDA how many sessions of an Azure Service Bus queue
// have a backlog, so that workers are scaled by what limits them: a session is
// worked on by one worker at a time, however many messages it holds. KEDA's own
// azure-servicebus scaler counts messages, and starts a crowd of workers for one
// busy session (https://github.com/kedacore/keda/issues/1479).
//
// It is a KEDA external scaler (a gRPC server) for any session queue, and knows
// nothing of the project that it comes with.
//
// # Environment
//
//	SERVICEBUS_NAMESPACE          host name, as contoso.servicebus.windows.net; used with
//	                              the workload identity of the pod
//	SERVICEBUS_CONNECTION_STRING  instead of the above
//	SCALER_ADDR                   host:port to listen on; default :9000
//
// # Manifest
//
// A worker that holds up to four sessions at a time, at most 25 workers:
//
//	apiVersion: keda.sh/v1alpha1
//	kind: ScaledJob
//	metadata:
//	  name: worker
//	spec:
//	  pollingInterval: 2
//	  maxReplicaCount: 25
//	  triggers:
//	    - type: external
//	      metadata:
//	        scalerAddress: sessionscaler.default.svc:9000
//	        queueName: orders
//	        sessionsPerReplica: "4"
//	        maxSessions: "100"
//	  jobTargetRef:
//	    backoffLimit: 0
//	    template:
//	      spec:
//	        restartPolicy: Never
//	        containers:
//	          - name: worker
//	            image: example.com/worker
//
// A ScaledObject may use type external-push with the same metadata: it is then
// started as soon as the first session has a backlog, without waiting for a poll.
// A ScaledJob cannot; KEDA only polls for it.
//
// # Metadata
//
//	queueName           the session queue; required
//	sessionsPerReplica  sessions that one worker holds at a time; default 1
//	activationSessions  active only with more sessions than this; default 0
//	maxSessions         count no further; default 1000. Maximum replicas times
//	                    sessionsPerReplica is enough, and saves pages: Service Bus
//	                    lists 100 sessions a page
//
// Any other key is refused, KEDA's own (scalerAddress, enableTLS, unsafeSsl)
// excepted: KEDA would pass a misspelt one on without a word.
//
// # Answers
//
// GetMetricSpec: one metric, sessions-<queue>, with sessionsPerReplica as target.
// It does not ask Service Bus. GetMetrics: the number of sessions with backlog, at
// most maxSessions. IsActive: whether that is more than activationSessions.
// StreamIsActive: true at the start if active, and at each change from inactive to
// active; never false, which KEDA ignores. StreamMetricSpec is not implemented,
// which KEDA takes as "does not change".
//
// A session has a backlog while it has active messages: locked ones count, so a
// session that is being worked on is counted until its last message is settled.
// That is what the ScaledJob strategy "default" expects (wanted minus running).
// Sessions with only dead-lettered messages do not count.
//
// All callers share one reading per queue, kept for less than a second. KEDA should
// not poll faster.
//
// # Errors
//
//	InvalidArgument   the metadata are wrong; the message names the key
//	NotFound          there is no such queue
//	PermissionDenied  the identity lacks the right to listen to the queue
//	Unavailable       Service Bus cannot be asked
//
// There is never an old number instead of an error. A worker that has drained its
// sessions ends, and from a stale number every poll would start another. KEDA does
// nothing on an error: running workers go on, none is started.
//
// While Service Bus is away a stream stays open and silent: KEDA reconnects a
// broken stream after up to a minute, but hears an open one at once. At SIGTERM
// streams end without an error, which resets KEDA's wait.
//
// # Limits
//
// A session with stored session state is listed by Service Bus even when it has no
// message, so workers must not store any, or nothing ever scales to zero. That
// locked sessions are listed and that the Listen right is enough holds for the
// emulating broker the tests use; Microsoft documents neither. Standard-tier
// namespaces were once reported to list no sessions at all
// (https://github.com/Azure/azure-sdk-for-js/issues/1059): check yours once.
//
// The port speaks plaintext gRPC and should be reachable for KEDA only. The
// standard gRPC health service answers on it, for Kubernetes' grpc probes.
//
// Sources: KEDA 2.21, pkg/scalers/externalscaler and external_scaler.go;
// azservicebus 1.11, Client.NewListSessionsForQueuePager.
package main
