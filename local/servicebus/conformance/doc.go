// Package conformance is a suite of tests that says what a Service Bus
// namespace does. It uses the unmodified Azure SDK, and where that has no call
// the AMQP client beneath it, never the broker's own code; so it tests the
// local broker and Azure alike, and what it says of one can be checked against
// the other.
//
//	go test ./local/servicebus/conformance
//	SERVICEBUS_CONNECTION_STRING='Endpoint=sb://…' go test -timeout 1h ./local/servicebus/conformance
//
// Without SERVICEBUS_CONNECTION_STRING the tests share a broker that they
// start. With it, they use that namespace: of tier Standard or Premium, with a
// key that has the right Manage. Each test makes queues of its own, named
// conformance-…, and deletes them. Against Azure, times are those that it
// allows, and tests that make no sense there are skipped, with "local only"
// and the reason. A local broker that runs elsewhere can be tested like this
// too, with UseDevelopmentEmulator=true and SSL_CERT_FILE naming its
// certificate.
//
// # Doubts
//
// Where neither documentation, SDKs nor reports of others settle what Azure
// does, a test says so beside the check, and has a name for the doubt. The
// check is made here, for it is what the local broker does on purpose; against
// Azure it is made only if SERVICEBUS_ASSUME has the doubt's name, in a list
// with commas, or is "all". With -v the doubts are printed. Who runs the suite
// against Azure with SERVICEBUS_ASSUME=all learns which are none.
//
// # The wire
//
// Tests that need what the SDK cannot do, such as broken connections and
// faults, are in package server.
//
//	dialling               TestMessagesPassOverTLS TestMessagesPassInPlainTextToAnEmulatorsClient
//	one port               TestOneConnectionStringServesMessagesAndAdministration
//	SASL                   TestAnonymousConnectionOpensLinksOnceItHasAToken server.TestHostilePeerLosesItsConnectionAndTheBrokerLives
//	open, heartbeats       TestQuietConnectionIsKeptOpen server.TestQuietConnectionIsKeptAlive TestConnectionCarriesHundredsOfSessions
//	windows                TestMoreMessagesThanASessionsWindowPassBothWays
//	silence after end      TestSessionThatEndsUnderDeliveriesLeavesItsConnectionUsable TestAcceptGivenUpBeforeItBeganCostsTheConnectionNothing
//	tokens at $cbs         TestTokenIsForTheAudienceItIsPutFor TestWrongKeyAndUnknownRuleAreUnauthorized TestExpiredTokenIsUnauthorized TestMalformedTokenIsUnauthorized
//	requests and answers   TestAnswerNamesItsRequest TestAnswerGoesToTheAddressAskedFor TestAnswersHaveTheTypesThatClientsExpect
//	                       TestOperationTakesItsTimeOut TestUnknownOperationIsNotImplemented
//	answer to an attach    TestLinksHaveTheSettleModesAskedFor TestSenderIsToldTheLargestMessageAndBatch TestLinkAttachedTwiceToOneConnectionIsFine
//	refusal of an attach   TestRefusedLinkHasAReasonAndSpoilsNothing TestUnknownQueueIsNotFound server.TestLinkWithoutATokenIsRefused
//	paths                  TestNamesIgnoreCase
//	session filter         TestLinkTellsItsSessionAndTheEndOfItsLock
//	waiting for a session  TestAcceptTakesItsTimeOut TestAcceptNextTimesOutWhenNoSessionComes TestAcceptWithoutATimeWaits
//	                       TestGivingUpOnASessionLeavesItToOthers TestAcceptGivenUpWhileItIsGrantedLeavesTheSessionFree
//	deliveries             TestDeliveryTagIsTheLockToken
//	credit and drain       TestReceiverGetsWhatItsCreditAllows TestPrefetchedMessagesAreLocked TestDrainTakesCreditBack
//	released               TestReleasedMessageComesBackAtOnceWithoutACharge TestReceivingGivenUpLosesNothing
//	outcomes               TestOutcomesOnALinkAreThoseOfTheSpecification server.TestReceivedStateLeavesADeliveryToBeSettled
//	answer to a settlement TestMessageIsSettledOnce TestExpiredLockChargesADelivery
//	answer to a send       TestMessageSentSettledArrives TestFullQueueRefusesMessages
//	batches                TestBatchOfManyFramesArrivesInOrder TestBatchIsAcceptedAsAWholeOrNotAtAll
//	header, annotations    TestReceivedMessageIsTheOneSent TestStateOfAnEarlierDeliveryIsNotSentOn TestScheduledTimeOfAWrongTypeIsRefused
//	errors to wait out     server.TestBusyServerIsAskedAgain server.TestFullQueueIsTold
//	errors to recover from server.TestClientRecoversFromAnEndThatWasForced TestLinkThatOutlivesItsTokenIsDetached
//	fatal errors           TestUnknownQueueIsNotFound TestStatusSaysWhatAQueueCanBeUsedFor TestReceiverMustFitTheKindOfQueue TestLockedSessionCannotBeAcceptedByName
//	connections that break server.TestBrokenConnectionLeavesItsMessagesLocked server.TestBrokenConnectionFreesItsSessionAndChargesADelivery
//
// # Queues
//
//	receive modes          TestReceiveAndDeleteNeedsNoSettlement TestReceiveAndDeleteOfASessionNeedsNoSettlement
//	receiving              TestReceiverWaitsForWhatIsSentLater TestTwoReceiversShareAQueue TestReceiverMustFitTheKindOfQueue TestSequenceNumbersRiseByOne
//	settling               TestCompletedMessageIsGone TestAbandonedMessageComesBackWithACharge TestDeadLetterKeepsReasonAndDescription TestDeadLetterWithoutAReasonHasNone
//	settling by token      TestMessageCanBeSettledByTokenAlone TestMessageCanBeSettledFromAnotherConnection
//	                       TestMessageOfASessionCanBeSettledByToken TestSeveralMessagesAreSettledByOneRequest
//	dead letters           TestMessageIsDeadLetteredAtMaxDeliveryCount TestDeadLetterStaysThroughAnyNumberOfDeliveries TestDeadLetterQueueTakesNoMessagesFromSenders
//	deferring              TestDeferredMessageIsReceivedByItsNumberAndCompleted TestDeferredMessageIsAbandonedDeferredAndDeadLettered
//	                       TestDeferringChargesNoDeliveryButAbandoningWhatIsDeferredDoes TestMessageThatIsNotDeferredIsNotFoundByItsNumber
//	                       TestSeveralDeferredMessagesComeAtOnce TestLockOnADeferredMessageIsRenewedAndExpires TestDeferredMessageReceivedForDeletionIsGone
//	                       TestDeferredMessageIsForItsSessionAlone TestSessionOfDeferredMessagesAloneIsNotOffered TestDeadLetterCanBeDeferred
//	                       TestOneAnswerHoldsNoMoreDeferredMessagesThanItsLimit TestBadRequestForMessagesByNumberIsToldWhy
//	scheduling             TestScheduledMessagesComeAtTheirTime TestMessageScheduledForThePastComesAtOnce TestScheduledMessagesAreCountedAndPeeked
//	                       TestScheduledMessageOffersItsSessionWhenItIsDue TestTimeToLiveOfAScheduledMessageCountsFromItsTime
//	cancelling             TestScheduledMessageCanBeCancelledOnce TestMessageThatIsDueCannotBeCancelled
//	time to live           TestExpiredMessageIsDropped TestExpiredMessageIsDeadLetteredWhereTheQueueSaysSo TestQueuesTimeToLiveIsTheDefaultAndTheLongest
//	                       TestMessageThatExpiresWhileItIsLockedCanStillBeCompleted TestMessageThatExpiredWhileItWasLockedDoesNotComeBack
//	                       TestDeadLetterDoesNotExpire TestExpiredMessageIsNotPeeked
//	message locks          TestLockLastsAsLongAsTheQueueSays TestExpiredLockChargesADelivery TestLockThatExpiredCannotBeSettledThoughNoOneHasTheMessage
//	                       TestRenewedLockOutlivesItsDuration TestSeveralLocksAreRenewedByOneRequest TestReceiverThatClosesLeavesItsMessagesLocked
//	session locks          TestLostSessionLockGivesTheSessionToOthersAndCharges TestRenewedSessionLockOutlivesItsDuration
//	                       TestMessageOfASessionIsLockedWithItsSession TestSessionRequestNeedsTheLinkThatHoldsTheSession
//	sessions               TestSessionIsReceivedInOrder TestSessionWithoutMessagesCanBeAcceptedByName TestWaitingReceiverGetsTheSessionThatComes
//	                       TestTwoReceiversNeverShareASession TestClosedSessionIsReleasedInOrderWithoutACharge TestClosedClientLeavesNothingBehind
//	                       TestMessageWithoutASessionIsRefusedByASessionQueue
//	session state          TestSessionStateOutlivesReceiverAndMessages TestSessionStateIsItsSessionsAlone
//	peeking                TestPeekShowsMessagesWithoutLockingThem TestPeekBeginsAtANumber TestPeekOfASessionReceiverShowsItsSessionAlone
//	                       TestPeekShowsDeadLetters TestPeekedMessageTellsItsDeliveries TestPeekOfManyMessagesNeedsSeveralCalls
//	listing sessions       TestSessionsAreListedInPages TestListingTakesWhereToBeginAndHowMany TestSessionsWithStateAloneAreListed
//	                       TestSessionsAreListedByWhenTheirStateWasSet TestLockedSessionsAreListed
//	                       TestSessionsOfDeferredScheduledOrDeadMessagesAreNotListed TestListingNeedsAQueueWithSessions
//	forwarding             TestMessagesAreForwarded TestMessagesAreForwardedIntoSessions TestScheduledMessageIsForwardedWhenItIsDue
//	                       TestQueueWithSessionsCannotForward
//	forwarded dead letters TestDeadLettersAreForwarded TestDeadLettersOfTheBrokerAreForwardedToo TestForwardedDeadLetterCanDieAgain
//	sizes                  TestLargestMessagePassesAndALargerOneIsRefused TestQueueTakesMessagesOfTheSizeItWasMadeFor
//	                       TestBatchHasTheSizeItsSenderIsTold TestBatchOverItsLimitIsRefusedWhereOneMessageWouldPass TestIDsHaveUpTo128Characters
//	partitioned queues     TestPartitionedQueueRefusesABatchThatMixesSessions TestOtherQueuesTakeABatchThatMixesSessions
//	duplicate detection    TestDuplicateIsAcceptedAndDropped TestMessageIDIsForgottenAfterTheWindow
//	                       TestRepeatedIDsAreKeptWithoutDuplicateDetection TestScheduledDuplicateIsDropped
//	bodies and properties  TestBodiesOfAllKindsComeBackAsTheyWere TestAllPropertiesAndAnnotationsComeBackAsTheyWere TestMessageIDsOfAllTypesComeBackAsTheyWere
//	                       TestMessageStaysAsItWasThroughSettlements TestPropertiesToModifyOfAllTypesAreSet
//	                       TestBatchedAndScheduledMessagesOfAllKindsComeBackAsTheyWere
//	                       TestBareMessageIsKeptToTheByte TestPropertiesThatAreNotModifiedAreKeptToTheByte
//
// # Administration
//
// At both API versions.
//
//	properties             TestNewQueueHasTheDefaults TestEveryPropertyIsAcceptedKeptAndReturned TestForwardIsKeptAndReturned TestRuleWithoutKeysGetsSome
//	updating               TestUpdateReplacesAllButWhatIsForGood TestUpdateIsInForceAtOnce
//	status                 TestStatusSaysWhatAQueueCanBeUsedFor TestDisablingAQueueEndsItsReceivers
//	deleting               TestDeletedQueueEndsItsLinks TestDeletedQueueEndsWhoWaitsForItsSessions TestQueueMadeAnewIsEmpty
//	status codes           TestAdministrationHasAzuresStatusCodes TestQueuesThatCannotBeAreRefused
//	listing                TestQueuesAreListedInPages
//	runtime properties     TestRuntimePropertiesCountMessagesByState
//	namespace              TestNamespaceHasProperties
//
// # Rights
//
//	Send                   TestKeyWithSendMaySendAlone TestKeyOfTheNamespaceWithSendMaySendAloneToAnyQueue
//	Listen                 TestKeyWithListenMayReceiveAlone TestKeyOfTheNamespaceWithListenMayReceiveAloneFromAnyQueue
//	Manage                 TestKeyWithManageMayDoEverythingWithItsQueue TestAdministrationNeedsTheRightManage
//	at each call           TestManagementRequestNeedsTheRightOfItsOperation
//	keys                   TestKeyOfOneQueueDoesNotOpenAnother TestEitherKeyOfARuleIsGood TestKeyThatWasReplacedIsRefused
//	tokens                 TestTokenOfACallersOwnIsGood TestLinkThatOutlivesItsTokenIsDetached TestLinkWhoseTokenIsRenewedStays
//
// # Left out
//
//	topics and rules       TestTopicsAreRefusedAsOnTheBasicTier
//	transactions           server.TestTransactionsAreNotImplemented
//	Entra tokens           TestEntraTokenIsUnauthorized
//	AMQP over WebSockets   TestWebSocketsAreRefused
package conformance
