package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/contoso/orders/local/servicebus/queue"
)

// Keys and buckets within a queue's bucket.
var (
	keySettings    = []byte("settings")
	keySequence    = []byte("sequence")
	bucketMessages = []byte("messages")
	bucketChanges  = []byte("changes")
	bucketStates   = []byte("states")
	bucketHistory  = []byte("history")
)

// fillPercent packs pages almost full: keys come in rising order.
const fillPercent = 0.95

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Write implements queue.Store.
func (f *File) Write(changes []queue.Change) error {
	err := f.db.Update(func(tx *bolt.Tx) error {
		g := &group{tx: tx, queues: make(map[uint64]*shelf)}
		for _, c := range changes {
			if err := g.make(c); err != nil {
				return err
			}
		}
		return g.finish()
	})
	switch {
	case err == nil:
		return nil
	case full(err):
		return fmt.Errorf("writing to disk: %w (%w)", syscall.ENOSPC, err)
	}
	return fmt.Errorf("writing to disk: %w", err)
}

// full says whether a write failed for want of room. bbolt tells some reasons
// as text alone.
func full(err error) bool {
	for _, reason := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, reason) || strings.HasSuffix(err.Error(), reason.Error()) {
			return true
		}
	}
	return false
}

// group is one transaction.
type group struct {
	tx     *bolt.Tx
	queues map[uint64]*shelf // nil: there is no such queue
}

// shelf is a queue's bucket and those within.
type shelf struct {
	root, messages, changes, states, history *bolt.Bucket
	sequence                                 int64 // the highest in this group
}

// shelf finds a queue's buckets; nil: there is no such queue.
func (g *group) shelf(id uint64) *shelf {
	if s, known := g.queues[id]; known {
		return s
	}
	var s *shelf
	if root := g.tx.Bucket(number(id)); root != nil {
		s = newShelf(root)
	}
	g.queues[id] = s
	return s
}

func newShelf(root *bolt.Bucket) *shelf {
	s := &shelf{
		root:     root,
		messages: root.Bucket(bucketMessages),
		changes:  root.Bucket(bucketChanges),
		states:   root.Bucket(bucketStates),
		history:  root.Bucket(bucketHistory),
	}
	s.messages.FillPercent, s.history.FillPercent = fillPercent, fillPercent
	return s
}

func (g *group) make(change queue.Change) error {
	switch c := change.(type) {
	case queue.QueueSet:
		return g.setQueue(c)
	case queue.QueueGone:
		if g.shelf(c.Queue) == nil {
			return nil
		}
		g.queues[c.Queue] = nil
		return g.tx.DeleteBucket(number(c.Queue))
	case queue.MessageAdded:
		s := g.shelf(c.Queue)
		if s == nil {
			return nil
		}
		s.sequence = max(s.sequence, c.Message.Sequence)
		return s.messages.Put(number(uint64(c.Message.Sequence)), encodeMessage(&c.Message))
	case queue.MessageChanged:
		if s := g.shelf(c.Queue); s != nil {
			return s.changes.Put(number(uint64(c.Sequence)), encodeChange(c))
		}
	case queue.MessageGone:
		if s := g.shelf(c.Queue); s != nil {
			return s.remove(c.Sequence)
		}
	case queue.StateSet:
		if s := g.shelf(c.Queue); s != nil {
			return s.setState(c)
		}
	case queue.Remembered:
		if s := g.shelf(c.Queue); s != nil {
			return s.history.Put(historyKey(c.At, c.ID), number(uint64(c.Sequence)))
		}
	case queue.Unremembered:
		if s := g.shelf(c.Queue); s != nil {
			return s.history.Delete(historyKey(c.At, c.ID))
		}
	case queue.Forgotten:
		if s := g.shelf(c.Queue); s != nil {
			return s.forget(c.Before)
		}
	default:
		return fmt.Errorf("change of type %T is not known", change)
	}
	return nil
}

func (g *group) setQueue(c queue.QueueSet) error {
	root, err := g.tx.CreateBucketIfNotExists(number(c.ID))
	if err != nil {
		return err
	}
	for _, name := range [][]byte{bucketMessages, bucketChanges, bucketStates, bucketHistory} {
		if _, err := root.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	if g.queues[c.ID] == nil {
		g.queues[c.ID] = newShelf(root)
	}
	return root.Put(keySettings, marshal(c))
}

func (s *shelf) remove(sequence int64) error {
	key := number(uint64(sequence))
	if err := s.messages.Delete(key); err != nil {
		return err
	}
	return s.changes.Delete(key)
}

func (s *shelf) setState(c queue.StateSet) error {
	key := append([]byte("s"), c.Session...)
	if c.State == nil {
		return s.states.Delete(key)
	}
	return s.states.Put(key, encodeState(c))
}

// historyKey orders by time; ids alone tell apart what came at the same time.
func historyKey(at time.Time, id string) []byte {
	return append(number(uint64(at.UnixNano())), id...)
}

func (s *shelf) forget(before time.Time) error {
	c, end := s.history.Cursor(), number(uint64(before.UnixNano()))
	for k, _ := c.First(); k != nil && bytes.Compare(k, end) < 0; k, _ = c.First() {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// finish notes the highest sequence numbers: they are never given again, even
// when their messages are gone.
func (g *group) finish() error {
	for _, s := range g.queues {
		if s == nil || s.sequence <= sequenceOf(s.root) {
			continue
		}
		if err := s.root.Put(keySequence, number(uint64(s.sequence))); err != nil {
			return err
		}
	}
	return nil
}

func sequenceOf(root *bolt.Bucket) int64 {
	if v := root.Get(keySequence); len(v) == 8 {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}
