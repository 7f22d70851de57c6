package identity_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/identity/identitytest"
	"github.com/contoso/orders/shared/order"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

func TestGoodTokenNamesItsCaller(t *testing.T) {
	p := identitytest.New(t)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "bearer "+p.Token(t, identitytest.Claims("alice")))
	c, err := p.Verifier(t).Caller(r)
	if err != nil {
		t.Fatal(err)
	}
	if c.Customer != identity.CustomerOf(identitytest.Issuer, "alice") || len(c.Customer) != 22 {
		t.Errorf("customer = %q", c.Customer)
	}
	if err := c.Require(identity.ScopeWrite); err != nil {
		t.Error(err)
	}
	if err := c.Require("orders.admin"); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("missing scope: %v, want forbidden", err)
	}
}

func TestScopeMayBeAList(t *testing.T) {
	p := identitytest.New(t)
	c := identitytest.Claims("alice")
	delete(c, "scope")
	c["scp"] = []string{identity.ScopeRead}
	caller, err := p.Verifier(t).Verify(t.Context(), p.Token(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Require(identity.ScopeRead); err != nil {
		t.Error(err)
	}
}

func TestBadTokenIsRefused(t *testing.T) {
	p := identitytest.New(t)
	v := p.Verifier(t)
	bad := p.Bad(t)
	good := strings.Split(p.Token(t, identitytest.Claims("alice")), ".")
	bad["tampered"] = strings.Join([]string{good[0], strings.Split(p.Token(t, identitytest.Claims("bob")), ".")[1], good[2]}, ".")
	for name, token := range bad {
		t.Run(name, func(t *testing.T) {
			if _, err := v.Verify(t.Context(), token); fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("error = %v, want unauthenticated", err)
			}
		})
	}
}

func TestBearerHeaderIsRequired(t *testing.T) {
	for _, header := range []string{"", "Bearer", "Bearer ", "Basic YWxpY2U6eA==", "Bearer " + strings.Repeat("a", 17<<10)} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		if _, err := identity.Bearer(r); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("header %.20q: %v, want unauthenticated", header, err)
		}
	}
}

func TestNewKeyIsFetchedWhenFirstNamed(t *testing.T) {
	p := identitytest.New(t)
	v := p.Verifier(t)
	token := identitytest.Sign(t, jwt.SigningMethodES256, "k2", p.AddKey(t, "k2"), identitytest.Claims("alice"))
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("the rotated key is not known: %v", err)
	}
}

func TestWithoutKeysTokensAreUnavailableNotWrong(t *testing.T) {
	p := identitytest.New(t)
	p.SetDown(true)
	v := p.Verifier(t)
	token := p.Token(t, identitytest.Claims("alice"))
	if _, err := v.Verify(t.Context(), token); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
	p.SetDown(false)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("after the issuer came back: %v", err)
	}
}

func TestPinnedSubjectLetsNobodyElseIn(t *testing.T) {
	p := identitytest.New(t)
	cfg := p.Config()
	cfg.Subject = "complete"
	v, err := identity.NewVerifier(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), p.Token(t, identitytest.Claims("alice"))); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("error = %v, want forbidden", err)
	}
	if _, err := v.Verify(t.Context(), p.Token(t, identitytest.Claims("complete"))); err != nil {
		t.Error(err)
	}
}

func newKeys(t *testing.T, seeds ...string) *identity.Keys {
	t.Helper()
	var cfg identity.KeysConfig
	for _, s := range seeds {
		cfg.Keys = append(cfg.Keys, base64.StdEncoding.EncodeToString([]byte(strings.Repeat(s, 32))))
	}
	k, err := identity.NewKeys(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestCorrelationIdCertifiesItself(t *testing.T) {
	k := newKeys(t, "a")
	alice, bob := identity.CustomerOf(identitytest.Issuer, "alice"), identity.CustomerOf(identitytest.Issuer, "bob")
	for range 1000 {
		nonce := identity.RandomNonce()
		id := k.Issue(alice, nonce)
		if id.Version() != 8 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("%s is not a version 8 UUID", id)
		}
		if order.NonceOf(id) != nonce {
			t.Fatalf("nonce of %s = %x, want %x", id, order.NonceOf(id), nonce)
		}
		if !k.Verify(id, alice) {
			t.Fatalf("%s does not verify for its customer", id)
		}
		if k.Verify(id, bob) {
			t.Fatalf("%s verifies for another customer", id)
		}
		id[5] ^= 1
		if k.Verify(id, alice) {
			t.Fatal("a changed nonce verifies")
		}
	}
}

func TestMadeUpCorrelationIdDoesNotVerify(t *testing.T) {
	k := newKeys(t, "a")
	for range 1000 {
		if id := uuid.New(); k.Verify(id, "alice") {
			t.Fatalf("%s verifies", id)
		}
	}
}

func TestOldKeyVerifiesAndNewKeySigns(t *testing.T) {
	old, rotated, without := newKeys(t, "a"), newKeys(t, "b", "a"), newKeys(t, "b")
	id := old.Issue("alice", 7)
	if !rotated.Verify(id, "alice") {
		t.Error("an id of the old key does not verify while the key is listed")
	}
	if without.Verify(id, "alice") {
		t.Error("an id of a removed key still verifies")
	}
	if fresh := rotated.Issue("alice", 7); fresh == id || order.NonceOf(fresh) != order.NonceOf(id) {
		t.Errorf("after the rotation: %s, before: %s; want the same nonce under another tag", fresh, id)
	}
}

func TestSameIdempotencyKeySameNonce(t *testing.T) {
	first, again := identity.KeyNonce("k"), identity.KeyNonce("k")
	if first != again || first == identity.KeyNonce("l") {
		t.Error("the nonce does not follow the key")
	}
	if n := identity.KeyNonce("k"); n < 0 || n >= 1<<60 {
		t.Errorf("nonce %x is not of 60 bits", n)
	}
}

func TestBadKeysAreRefusedWithoutShowingThem(t *testing.T) {
	for name, keys := range map[string][]string{"none": {}, "not base64": {"hunter2!"}, "short": {"aHVudGVyMg=="}} {
		_, err := identity.NewKeys(identity.KeysConfig{Keys: keys})
		if err == nil || strings.Contains(err.Error(), "unter2") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

func TestTicketIsForItsCustomerAndItsTime(t *testing.T) {
	keys := newKeys(t, "a")
	tickets, err := identity.NewTickets(keys)
	if err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	text, err := tickets.Issue(identity.Caller{Customer: "alice", Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	got, err := tickets.Verify(text)
	if err != nil {
		t.Fatal(err)
	}
	if got.Customer != "alice" || !got.Expires.Equal(expires) || got.ID == "" {
		t.Errorf("ticket = %+v", got)
	}
	again, err := tickets.Issue(identity.Caller{Customer: "alice", Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := tickets.Verify(again); other.ID == got.ID {
		t.Error("two tickets share an id")
	}

	foreign, err := identity.NewTickets(newKeys(t, "z"))
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := identity.NewTickets(newKeys(t, "b", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rotated.Verify(text); err != nil {
		t.Errorf("after a key rotation: %v", err)
	}
	for name, verify := range map[string]error{
		"other key": second(foreign.Verify(text)),
		"garbage":   second(tickets.Verify("x")),
		"empty":     second(tickets.Verify("")),
		"unsigned":  second(tickets.Verify(identitytest.Sign(t, jwt.SigningMethodNone, "", jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "alice", "aud": "contoso-orders/hub-ticket"}))),
	} {
		if fault.KindOf(verify) != fault.Unauthenticated {
			t.Errorf("%s: %v, want unauthenticated", name, verify)
		}
	}
}

func second[T any](_ T, err error) error { return err }
