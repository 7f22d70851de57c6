package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"

	"github.com/contoso/orders/shared/order"
	"github.com/google/uuid"
)

const minKeyBytes = 32

const nonceMask = 1<<60 - 1

// KeysConfig holds the keys that CorrelationIds and hub tickets are made with.
type KeysConfig struct {
	Keys []string `env:"CORRELATION_KEYS, required" help:"base64 keys of 32 bytes or more, comma-separated: the first signs, all verify"`
}

// LogValue keeps the keys out of logs.
func (c KeysConfig) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%d key(s)", len(c.Keys)))
}

// Keys makes and checks self-certifying CorrelationIds. It is safe for concurrent use.
type Keys struct {
	keys [][]byte // the first signs
}

// NewKeys decodes the configured keys.
func NewKeys(cfg KeysConfig) (*Keys, error) {
	k := &Keys{}
	for i, text := range cfg.Keys {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("CORRELATION_KEYS: key %d is not standard base64", i+1)
		}
		if len(key) < minKeyBytes {
			return nil, fmt.Errorf("CORRELATION_KEYS: key %d has %d bytes, at least %d are needed", i+1, len(key), minKeyBytes)
		}
		k.keys = append(k.keys, key)
	}
	if len(k.keys) == 0 {
		return nil, fmt.Errorf("CORRELATION_KEYS: at least one key is needed")
	}
	return k, nil
}

// RandomNonce returns 60 random bits: the nonce of an order that came without an
// Idempotency-Key.
func RandomNonce() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return int64(binary.BigEndian.Uint64(b[:]) & nonceMask)
}

// KeyNonce returns the nonce of an Idempotency-Key: the first 60 bits of its
// SHA-256. Used again by the same customer, the key names the same order, with
// no state kept anywhere.
func KeyNonce(idempotencyKey string) int64 {
	sum := sha256.Sum256([]byte(idempotencyKey))
	return int64(binary.BigEndian.Uint64(sum[:8]) >> 4)
}

// Issue returns the CorrelationId of (customer, nonce) under the signing key.
func (k *Keys) Issue(customer string, nonce int64) uuid.UUID {
	return correlationID(k.keys[0], customer, nonce)
}

// Verify reports whether id was issued to customer under one of the keys.
func (k *Keys) Verify(id uuid.UUID, customer string) bool {
	for _, key := range k.keys {
		want := correlationID(key, customer, order.NonceOf(id))
		if hmac.Equal(want[:], id[:]) {
			return true
		}
	}
	return false
}

// correlationID lays out 60 bits of nonce and 62 bits of tag as a UUID of version
// 8 (RFC 9562 §5.8): nonce(48) version(4) nonce(12) variant(2) tag(62).
func correlationID(key []byte, customer string, nonce int64) uuid.UUID {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "correlation/v1\x1f%s\x1f", customer)
	_ = binary.Write(mac, binary.BigEndian, nonce)
	tag := binary.BigEndian.Uint64(mac.Sum(nil))

	n := uint64(nonce) & nonceMask
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], n>>12<<16|8<<12|n&0xfff)
	binary.BigEndian.PutUint64(id[8:], 1<<63|tag>>2)
	return id
}
