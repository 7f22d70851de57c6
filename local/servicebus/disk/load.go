package disk

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/contoso/orders/local/servicebus/queue"
)

// Load implements queue.Store.
func (f *File) Load() ([]queue.Kept, error) {
	var all []queue.Kept
	err := f.db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, root *bolt.Bucket) error {
			if string(name) == string(bucketFormat) {
				return nil
			}
			k, err := load(root)
			if err != nil {
				return fmt.Errorf("queue %q: %w", k.Path, err)
			}
			all = append(all, k)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading from disk: %w", err)
	}
	return all, nil
}

func load(root *bolt.Bucket) (queue.Kept, error) {
	k := queue.Kept{Sequence: sequenceOf(root)}
	if err := json.Unmarshal(root.Get(keySettings), &k.QueueSet); err != nil {
		return k, fmt.Errorf("settings: %w", err)
	}
	s := newShelf(root)
	k.Messages = make([]queue.KeptMessage, 0, s.messages.Stats().KeyN) // growing costs a quarter of the time
	err := s.messages.ForEach(func(key, v []byte) error {
		sequence := int64(binary.BigEndian.Uint64(key))
		m, err := decodeMessage(sequence, v)
		if err != nil {
			return fmt.Errorf("message %d: %w", sequence, err)
		}
		if change := s.changes.Get(key); change != nil {
			if err := applyChange(&m, change); err != nil {
				return fmt.Errorf("message %d: %w", sequence, err)
			}
		}
		k.Messages = append(k.Messages, m)
		return nil
	})
	if err != nil {
		return k, err
	}
	err = s.states.ForEach(func(key, v []byte) error {
		state, err := decodeState(string(key[1:]), v)
		k.States = append(k.States, state)
		return err
	})
	if err != nil {
		return k, fmt.Errorf("session state: %w", err)
	}
	return k, s.history.ForEach(func(key, v []byte) error {
		k.History = append(k.History, queue.Remembered{
			ID:       string(key[8:]),
			At:       time.Unix(0, int64(binary.BigEndian.Uint64(key))),
			Sequence: int64(binary.BigEndian.Uint64(v)),
		})
		return nil
	})
}
