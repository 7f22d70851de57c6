package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/contoso/orders/shared/fault"
)

func TestKindSurvivesWrapping(t *testing.T) {
	err := fmt.Errorf("saving order: %w", fault.Wrap(fault.Unavailable, io.ErrUnexpectedEOF, "the order store is away"))
	if got := fault.KindOf(err); got != fault.Unavailable {
		t.Errorf("kind = %v, want unavailable", got)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}

func TestOutermostKindWins(t *testing.T) {
	inner := fault.New(fault.NotFound, "no such key")
	if got := fault.KindOf(fault.Wrap(fault.Unauthenticated, inner, "the token cannot be verified")); got != fault.Unauthenticated {
		t.Errorf("kind = %v, want unauthenticated", got)
	}
}

func TestErrorWithoutKindIsInternal(t *testing.T) {
	if got := fault.KindOf(io.EOF); got != fault.Internal {
		t.Errorf("kind = %v, want internal", got)
	}
}

func TestWrapOfNilIsNil(t *testing.T) {
	if err := fault.Wrap(fault.Invalid, nil, "x"); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestEveryKindHasItsOwnName(t *testing.T) {
	seen := map[string]bool{}
	for k := fault.Internal; k <= fault.LockLost; k++ {
		if n := k.String(); n == "" || seen[n] {
			t.Errorf("kind %d: name %q is empty or used twice", k, n)
		} else {
			seen[n] = true
		}
	}
}
