package bus

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

func TestSendThatDoesNotEndIsLeftBehindWithItsLink(t *testing.T) {
	c, err := Connect(Config{ConnectionString: "Endpoint=sb://127.0.0.1:1/;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Sender("q") // it connects when it is used, and never is
	if err != nil {
		t.Fatal(err)
	}
	stuck := make(chan struct{})
	defer close(stuck)
	used := make(chan *azservicebus.Sender, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err = s.guarded(ctx, func(link *azservicebus.Sender) error {
		used <- link
		<-stuck // whatever its context says
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that its time is over", err)
	}
	first := <-used
	err = s.guarded(t.Context(), func(link *azservicebus.Sender) error {
		if link == first {
			return errors.New("the next send would wait behind the one that is stuck")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
