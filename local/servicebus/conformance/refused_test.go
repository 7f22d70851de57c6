package conformance

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/gorilla/websocket"
)

// What Service Bus has and the local broker has not. Transactions are refused
// too, for which the SDK has no call.

func TestTopicsAreRefusedAsOnTheBasicTier(t *testing.T) {
	n := open(t)
	n.localOnly("Azure's other tiers have topics")
	_, err := n.admin.CreateTopic(n.within(), n.freeName(), nil)
	n.wantStatus(err, 400)
	topic, err := n.admin.GetTopic(n.within(), n.freeName(), nil)
	if n.must(err); topic != nil {
		t.Errorf("got topic %+v", topic)
	}
	page, err := n.admin.NewListTopicsPager(nil).NextPage(n.within())
	if n.must(err); len(page.Topics) > 0 {
		t.Errorf("listed topics %+v", page.Topics)
	}
	_, err = n.admin.CreateSubscription(n.within(), n.plain(), "sub", nil)
	if statusOf(err) < 400 {
		t.Errorf("error %v on creating a subscription", err)
	}
	r, err := n.client().NewReceiverForSubscription(n.freeName(), "sub", nil)
	n.must(err)
	_, err = r.ReceiveMessages(n.within(), 1, nil)
	n.wantText(err, string(amqp.ErrCondNotFound))
}

func TestWebSocketsAreRefused(t *testing.T) {
	n := open(t)
	n.localOnly("Azure has them")
	status := 0
	c, err := azservicebus.NewClientFromConnectionString(under.secure, &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: -1},
		NewWebSocketConn: func(ctx context.Context, args azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
			d := websocket.Dialer{TLSClientConfig: under.trust.Clone(), Subprotocols: []string{"amqp"}}
			ws, response, err := d.DialContext(ctx, args.Host, nil)
			if response != nil {
				status = response.StatusCode
			}
			if err != nil {
				return nil, err
			}
			return ws.NetConn(), nil
		},
	})
	n.must(err)
	if err := n.sender(c, n.plain()).SendMessage(n.within(), text("x"), nil); err == nil || status != 501 {
		t.Errorf("status %d, error %v; want 501", status, err)
	}
}

// madeUp is a credential that no one gave out.
type madeUp struct{}

func (madeUp) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "e30.e30.c2ln", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestEntraTokenIsUnauthorized(t *testing.T) {
	n := open(t) // on Azure because it is made up
	c, err := azservicebus.NewClient(parse(under.secure).host, madeUp{}, &azservicebus.ClientOptions{
		TLSConfig: under.trust.Clone(), RetryOptions: azservicebus.RetryOptions{MaxRetries: -1},
	})
	n.must(err)
	err = n.sender(c, n.plain()).SendMessage(n.within(), text("x"), nil)
	n.wantCode(err, azservicebus.CodeUnauthorizedAccess)
}
