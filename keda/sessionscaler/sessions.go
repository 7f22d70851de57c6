package main

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// serviceBus counts sessions.
type serviceBus struct {
	client *azservicebus.Client
}

// count returns the number of sessions of queue with backlog, or most if there are
// at least so many. Its errors are for the caller as they are.
func (s serviceBus) count(ctx context.Context, queue string, most int) (int, error) {
	n := 0
	for pages := s.client.NewListSessionsForQueuePager(queue, nil); pages.More() && n < most; {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, status.Errorf(code(err), "listing sessions of queue %s: %v", queue, err)
		}
		n += len(page.Sessions)
	}
	return min(n, most), nil
}

// code says what an error means for the caller. What is not known for certain to
// need a human is Unavailable.
func code(err error) codes.Code {
	var coded *azservicebus.Error
	if errors.As(err, &coded) {
		switch coded.Code {
		case azservicebus.CodeNotFound:
			return codes.NotFound
		case azservicebus.CodeUnauthorizedAccess:
			return codes.PermissionDenied
		}
	}
	// A link that is refused at attach yields the AMQP error as it is.
	var refused *amqp.Error
	if errors.As(err, &refused) {
		switch refused.Condition {
		case amqp.ErrCondNotFound:
			return codes.NotFound
		case amqp.ErrCondUnauthorizedAccess:
			return codes.PermissionDenied
		}
	}
	return codes.Unavailable
}
