package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// dataDir is the directory of what lasts, held by this process alone.
type dataDir struct {
	path string
	lock *os.File
}

// openData makes the directory if need be and locks it: two stacks on one
// database, each with a broker of its own, would lose track of each other's orders.
func openData(path string) (*dataDir, error) {
	if err := os.MkdirAll(filepath.Join(path, "run"), 0o700); err != nil {
		return nil, fmt.Errorf("making data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "run", "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("the data directory %s is in use by another stack: stop that one, or choose another with DATA_DIR=…", path)
	}
	return &dataDir{path: path, lock: lock}, nil
}

// file returns the path of a file that lasts.
func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

// runtime returns the path of a file that is good for this run only.
func (d *dataDir) runtime(name string) string { return filepath.Join(d.path, "run", name) }

// close lets another stack have the directory.
func (d *dataDir) close() { _ = d.lock.Close() }

// forgetData removes what a stack has left in a directory, and the directory if
// there was nothing else: one that was named by mistake loses nothing of its own.
func forgetData(path string) error {
	if _, err := os.Stat(filepath.Join(path, "run", "lock")); errors.Is(err, os.ErrNotExist) {
		return nil // no stack was ever here
	}
	d, err := openData(path)
	if err != nil {
		return err
	}
	defer d.close()
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("finding data: %w", err)
	}
	for _, e := range entries {
		ours := func(prefix string) bool { return strings.HasPrefix(e.Name(), prefix) }
		if !slices.ContainsFunc([]string{"orders.db", "servicebus", "correlation.key", "idp-key.pem", ".idp-key.pem-"}, ours) && e.Name() != "run" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(path, e.Name())); err != nil {
			return fmt.Errorf("removing data: %w", err)
		}
	}
	_ = os.Remove(path) // when it is empty
	return nil
}

// correlationKey returns the key of this installation, made at its first run: with
// another key, orders that wait would not be found any more.
func (d *dataDir) correlationKey() (string, error) {
	path := d.file("correlation.key")
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading correlation key: %w", err)
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	encoded := base64.StdEncoding.EncodeToString(key[:])
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(encoded+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing correlation key: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return "", fmt.Errorf("writing correlation key: %w", err)
	}
	return encoded, nil
}
