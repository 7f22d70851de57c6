package sas_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/sas"
)

// A token of key "SAS_KEY_VALUE" for amqp://localhost:5672/orders until
// 2030-01-01, computed with OpenSSL.
const token = "SharedAccessSignature sr=amqp%3a%2f%2flocalhost%3a5672%2forders&sig=Ef1N9plnVeJuWDWeB0sIXkT7%2fDV%2bqLw1Qs5dZ%2f46J5Q%3d&se=1893456000&skn=RootManageSharedAccessKey"

var (
	key = sas.Key{Name: "RootManageSharedAccessKey", Secret: "SAS_KEY_VALUE"}
	now = time.Date(2029, 12, 31, 0, 0, 0, 0, time.UTC)
)

func TestGoodTokenCoversItsResourceUntilItExpires(t *testing.T) {
	claim, err := key.Verify(token, now)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"orders": true, "/Orders/": true, "orders/$management": true,
		"": false, "orders-dead": false, "other": false,
	} {
		if got := claim.Covers(path, now); got != want {
			t.Errorf("Covers(%q) = %t", path, got)
		}
	}
	if claim.Covers("orders", claim.Expires) {
		t.Error("the claim is still good when it expires")
	}
}

func TestBadTokenIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		token string
		now   time.Time
		want  error
	}{
		"expired":            {token, now.AddDate(0, 0, 1), sas.ErrExpired},
		"another resource":   {strings.Replace(token, "orders", "others", 1), now, sas.ErrSignature},
		"a later expiry":     {strings.Replace(token, "se=1", "se=2", 1), now, sas.ErrSignature},
		"another key":        {strings.Replace(token, "skn=Root", "skn=Other", 1), now, sas.ErrSignature},
		"no signature":       {strings.Replace(token, "sig=", "sog=", 1), now, sas.ErrSignature},
		"no expiry":          {strings.Replace(token, "&se=", "&so=", 1), now, sas.ErrMalformed},
		"no resource":        {strings.Replace(token, "sr=", "so=", 1), now, sas.ErrMalformed},
		"another scheme":     {"Bearer x", now, sas.ErrMalformed},
		"nothing":            {"", now, sas.ErrMalformed},
		"an endless one":     {token + strings.Repeat("&x", 10_000), now, sas.ErrMalformed},
		"a broken signature": {strings.Replace(token, "sig=", "sig=!", 1), now, sas.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := key.Verify(test.token, test.now); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}
