package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// FileName is the name of the file in the data directory.
const FileName = "servicebus.db"

// version is that of the layout that doc.go describes.
const version = 1

// pageSize is that of a new file: large pages cost fewer writes for a group of
// messages, and little more for a single one.
const pageSize = 32 << 10

// lockPatience is how long Open waits for a process that is about to end.
const lockPatience = 2 * time.Second

// ErrInUse says that another process has the file.
var ErrInUse = errors.New("in use by another process")

// File is a queue.Store in a file.
type File struct{ db *bolt.DB }

// ErrDamaged says that the file is not one of this broker, or not whole. It is
// left as it is.
var ErrDamaged = errors.New("it is not a file of this broker, or damaged")

// Open opens the file in dir, and makes both if need be.
func Open(dir string) (*File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making data directory: %w", err)
	}
	path := filepath.Join(dir, FileName)
	db, err := open(path)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("opening %s: %w: stop that one, or choose another directory", path, ErrInUse)
	case errors.Is(err, ErrDamaged):
		return nil, fmt.Errorf("opening %s: %w: move it away to start empty", path, err)
	case err != nil:
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return &File{db: db}, nil
}

// open looks before it opens for writing: bbolt ends the process when a page
// is not what it should be.
func open(path string) (*bolt.DB, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		if err := inspect(path); err != nil {
			return nil, err
		}
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        lockPatience,
		FreelistType:   bolt.FreelistMapType,
		PageSize:       pageSize,
		NoFreelistSync: true, // it would be written with every group
	})
	if err != nil {
		return nil, err
	}
	if err := mark(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// mark notes the layout in a new file, and sees to it that its name survives
// the end of the machine.
func mark(db *bolt.DB) error {
	marked := false
	err := db.View(func(tx *bolt.Tx) error { marked = tx.Bucket(bucketFormat) != nil; return nil })
	if err != nil || marked {
		return err
	}
	d, err := os.Open(filepath.Dir(db.Path()))
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket(bucketFormat)
		if err != nil {
			return err
		}
		return b.Put(keyVersion, []byte(strconv.Itoa(version)))
	})
}

// inspect refuses a file that is not of this layout, or not whole.
func inspect(path string) (err error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockPatience, ReadOnly: true})
	if _, system := errors.AsType[syscall.Errno](err); system || errors.Is(err, berrors.ErrTimeout) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("%w (%v)", ErrDamaged, broken)
		}
	}()
	return db.View(func(tx *bolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w (%d bytes are left of %d)", ErrDamaged, info.Size(), tx.Size())
		}
		if err := checkVersion(tx); err != nil {
			return err
		}
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error { return visit(b) })
	})
}

// visit reads all pages of a bucket.
func visit(b *bolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return visit(b.Bucket(k))
		}
		return nil
	})
}

var (
	bucketFormat = []byte("format")
	keyVersion   = []byte("version")
)

// checkVersion refuses a file of another layout. One without anything is new:
// its maker was killed.
func checkVersion(tx *bolt.Tx) error {
	b := tx.Bucket(bucketFormat)
	if b == nil {
		if first, _ := tx.Cursor().First(); first == nil {
			return nil
		}
		return fmt.Errorf("%w (it has no layout)", ErrDamaged)
	}
	if found := string(b.Get(keyVersion)); found != strconv.Itoa(version) {
		return fmt.Errorf("it has layout %s, this broker knows %d: use the broker that made it, or move it away", found, version)
	}
	return nil
}

// Close gives the file back.
func (f *File) Close() error { return f.db.Close() }

// Size is the file's length in octets.
func (f *File) Size() int64 {
	var n int64
	_ = f.db.View(func(tx *bolt.Tx) error { n = tx.Size(); return nil })
	return n
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // settings are plain data
	}
	return b
}
