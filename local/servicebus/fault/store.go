package fault

import (
	"fmt"

	"github.com/contoso/orders/local/servicebus/queue"
)

// Store is a queue.Store whose writes fail while fail-disk goes on.
type Store struct {
	queue.Store
	Faults *Set
}

// Write implements queue.Store.
func (s Store) Write(changes []queue.Change) error {
	if _, hit := s.Faults.Hit(FailDisk, ""); hit {
		return fmt.Errorf("writing to disk: %w", ErrDisk)
	}
	return s.Store.Write(changes)
}
