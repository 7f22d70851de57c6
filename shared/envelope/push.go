package envelope

import "encoding/json"

// Push is what complete posts to one replica of the hub, as application/json to
// /internal/push.
type Push struct {
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is news for one customer.
type Delivery struct {
	Customer    string     `json:"customer"`
	Connections []string   `json:"connections,omitempty"` // those of this replica; none names all it has of the customer
	Epoch       string     `json:"epoch,omitempty"`       // "" when the registry was away: the events have no numbers then
	Events      []Numbered `json:"events"`
}

// Numbered is one event with its place in the customer's outcomes. A tab gets it
// as the argument of the hub's outcome method, with the epoch.
type Numbered struct {
	Number int64           `json:"number,omitempty"`
	Event  json.RawMessage `json:"event"` // a CloudEvent, as it was published
}

// PushReply says what became of each connection of each delivery.
type PushReply struct {
	Receipts []Receipt `json:"receipts"`
}

// Receipt is the fate of the events at one connection.
type Receipt struct {
	Customer   string       `json:"customer"`
	Connection string       `json:"connection"`
	State      ReceiptState `json:"state"`
}

// ReceiptState is what a hub knows of a delivery.
type ReceiptState string

// The receipt states.
const (
	Acked ReceiptState = "acked" // the tab has answered
	Sent  ReceiptState = "sent"  // handed to the socket, no answer within the wait
	Gone  ReceiptState = "gone"  // this replica does not hold the connection
)
