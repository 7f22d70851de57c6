// Package config reads the queues a broker starts with, in the format of the
// official Azure Service Bus emulator, so that a file made for it can be used:
//
//	{"UserConfig": {"Namespaces": [{
//	  "Name": "local",
//	  "Queues": [{"Name": "orders", "Properties": {"RequiresSession": true, "LockDuration": "PT1M"}}]
//	}]}}
//
// There is one namespace; its name is free. All properties may be left out,
// and then are as Azure has them; an empty string is as good as nothing.
// Durations are in ISO 8601; DefaultMessageTimeToLive and AutoDeleteOnIdle of
// over 100 years mean never. The emulator's properties of a queue:
//
//	RequiresSession                      bool
//	RequiresDuplicateDetection           bool
//	DuplicateDetectionHistoryTimeWindow  duration, 10 minutes
//	LockDuration                         duration, 1 minute
//	MaxDeliveryCount                     number, 10
//	DefaultMessageTimeToLive             duration, never
//	DeadLetteringOnMessageExpiration     bool
//	ForwardTo                            name of a queue
//	ForwardDeadLetteredMessagesTo        name of a queue
//
// Beyond the emulator, with the names and meanings of Azure's management API:
//
//	EnablePartitioning                   bool
//	MaxSizeInMegabytes                   number, 1024
//	MaxMessageSizeInKilobytes            number, 1024
//	Status                               Active, Disabled, SendDisabled or ReceiveDisabled
//	AutoDeleteOnIdle                     duration, never
//	UserMetadata                         string
//	EnableBatchedOperations              bool, true; of no effect
//	AuthorizationRules                   list, see below
//
// A namespace has AuthorizationRules too, good for all its queues:
//
//	{"KeyName": "sender", "PrimaryKey": "…", "SecondaryKey": "…", "Rights": ["Send", "Listen"]}
//
// A rule needs a PrimaryKey here, though Azure would make one up: nobody would
// know it. Logging is the emulator's own and of no effect. Topics, and
// properties that are not listed here, are refused rather than ignored.
// Errors name the queue and the property.
//
// Source: Microsoft, "Overview of the Azure Service Bus emulator",
// https://learn.microsoft.com/azure/service-bus-messaging/overview-emulator.
package config
