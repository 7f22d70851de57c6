// Package depth reads how many messages wait in a queue, over the management
// endpoint of Service Bus (HTTPS), as KEDA's azure-servicebus scaler does.
package depth

import (
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/contoso/orders/shared/fault"
)

// Reader reads queue depths. It is safe for concurrent use.
type Reader struct {
	sdk *admin.Client
}

// NewReader returns a Reader for the namespace of a connection string that has
// the Manage right. The HTTP client decides which certificates are trusted.
func NewReader(connectionString string, client *http.Client) (*Reader, error) {
	sdk, err := admin.NewClientFromConnectionString(connectionString, &admin.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: client},
	})
	if err != nil {
		return nil, errors.New("the connection string cannot be read") // the cause may quote it
	}
	return &Reader{sdk: sdk}, nil
}

// Active returns the number of active messages in queue: those that wait or are
// locked, without dead-lettered and scheduled ones.
func (r *Reader) Active(ctx context.Context, queue string) (int64, error) {
	res, err := r.sdk.GetQueueRuntimeProperties(ctx, queue, nil)
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "the depth of queue %s cannot be read", queue)
	}
	if res == nil {
		return 0, fault.New(fault.NotFound, "queue %s does not exist", queue)
	}
	return int64(res.ActiveMessageCount), nil
}
