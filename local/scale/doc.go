// Package scale stands in for KEDA on a laptop: it reads the very manifests that
// production uses, asks the triggers that they name as KEDA would, and starts and
// ends processes from zero.
//
// # What it does as KEDA
//
// ScaledJob, strategy "default": at every pollingInterval, wanted is the metric
// divided by its target, rounded up, at most maxReplicaCount; as many jobs are
// started as are wanted and not running. A job that runs is never ended by scaling.
// A job that fails is logged; since backoffLimit is 0, the next poll decides.
//
// ScaledObject: active when any trigger is. From zero at once when an external-push
// trigger says so, otherwise at the next poll.
//
// A trigger that cannot be asked neither starts nor ends anything. It is logged when
// that begins and when it is over.
//
// # What it does otherwise
//
// There is no HPA: a ScaledObject has as many replicas as its triggers have called
// for at most within the last cooldownPeriod, between minReplicaCount and
// maxReplicaCount. So it grows at once and shrinks late, and to zero when no trigger
// has been active for that long. Fallback is not applied; by the rule above an
// outage changes nothing. The newest processes end first.
//
// A process of a ScaledObject that dies is replaced at the next poll. One that dies
// at once, job or not, is started again only after a pause, which doubles up to a
// minute (Kubernetes' CrashLoopBackOff).
//
// Triggers: external (ScaledJob or ScaledObject), external-push (ScaledObject) and
// azure-servicebus with queueName (ScaledObject or ScaledJob). What a manifest asks
// for beyond this is an error of New that names the file.
//
// Sources: KEDA 2.21, pkg/scaling/executor, pkg/scaling/scaledjob and
// pkg/scalers/external_scaler.go.
package scale
