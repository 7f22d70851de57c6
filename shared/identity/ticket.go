package identity

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// TicketLife is how long a ticket may wait before it is used.
const TicketLife = 30 * time.Second

const (
	ticketAudience = "contoso-orders/hub-ticket"
	ticketKeyInfo  = "contoso-orders hub ticket v1"
)

// Ticket admits one WebSocket. It stands in a URL, because a browser cannot put a
// header on a WebSocket, so it lives for seconds and is good for one use; the
// access token it stands for never leaves the Authorization header.
type Ticket struct {
	ID       string    // spent at first use
	Customer string    // whose socket this is
	Expires  time.Time // when the access token behind it ends, and the socket with it
}

// Tickets makes and checks tickets under keys derived (HKDF-SHA-256) from the
// correlation keys, so that every replica of the hub has them.
type Tickets struct {
	keys [][]byte
}

// NewTickets derives the ticket keys.
func NewTickets(k *Keys) (*Tickets, error) {
	t := &Tickets{}
	for _, secret := range k.keys {
		key, err := hkdf.Key(sha256.New, secret, nil, ticketKeyInfo, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("deriving ticket key: %w", err)
		}
		t.keys = append(t.keys, key)
	}
	return t, nil
}

type ticketClaims struct {
	jwt.RegisteredClaims
	TokenExpires *jwt.NumericDate `json:"tex"`
}

// Issue returns a ticket for the caller, as text.
func (t *Tickets) Issue(c Caller) (string, error) {
	now := time.Now()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, ticketClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: uuid.NewString(), Subject: c.Customer, Audience: jwt.ClaimStrings{ticketAudience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(TicketLife)),
		},
		TokenExpires: jwt.NewNumericDate(c.Expires),
	}).SignedString(t.keys[0])
	if err != nil {
		return "", fmt.Errorf("signing ticket: %w", err)
	}
	return text, nil
}

// Verify reads a ticket. The error is Unauthenticated. Whether it was used
// before is for the registry to say.
func (t *Tickets) Verify(text string) (Ticket, error) {
	var c ticketClaims
	keys := make([]jwt.VerificationKey, len(t.keys))
	for i, key := range t.keys {
		keys[i] = key
	}
	_, err := jwt.ParseWithClaims(text, &c,
		func(*jwt.Token) (any, error) { return jwt.VerificationKeySet{Keys: keys}, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(ticketAudience), jwt.WithExpirationRequired())
	if err != nil {
		return Ticket{}, fault.Wrap(fault.Unauthenticated, err, "the ticket is not valid")
	}
	if strings.TrimSpace(c.Subject) == "" || c.ID == "" || c.TokenExpires == nil {
		return Ticket{}, fault.New(fault.Unauthenticated, "the ticket is not complete")
	}
	return Ticket{ID: c.ID, Customer: c.Subject, Expires: c.TokenExpires.Time}, nil
}
