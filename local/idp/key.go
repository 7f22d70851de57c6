package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"
)

const (
	keyFile = "idp-key.pem"
	pemType = "PRIVATE KEY" // PKCS #8
)

// signingKey signs every token (ES256). It implements op.SigningKey.
type signingKey struct {
	private *ecdsa.PrivateKey
	id      string // RFC 7638 thumbprint: the same key has the same id after a restart
}

func (k *signingKey) ID() string                                  { return k.id }
func (k *signingKey) Key() any                                    { return k.private }
func (k *signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }

// verifyingKey is the public half. It implements op.Key.
type verifyingKey struct{ *signingKey }

func (k verifyingKey) Key() any                           { return &k.private.PublicKey }
func (k verifyingKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k verifyingKey) Use() string                        { return "sig" }

// openKey reads the key that dir keeps, so that tokens outlive a restart, and
// makes one when there is none.
func openKey(dir string) (*signingKey, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("reading the signing key: %s holds no PEM %s; delete it to have a new one made", path, pemType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key %s: %w", path, err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("reading the signing key: %s is not an ECDSA P-256 key", path)
	}
	return newSigningKey(private)
}

func createKey(path string) (*signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encoding the signing key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	if err := replaceFile(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})); err != nil {
		return nil, fmt.Errorf("keeping the signing key: %w", err)
	}
	return newSigningKey(private)
}

func newSigningKey(private *ecdsa.PrivateKey) (*signingKey, error) {
	sum, err := (&jose.JSONWebKey{Key: &private.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("naming the signing key: %w", err)
	}
	return &signingKey{private: private, id: base64.RawURLEncoding.EncodeToString(sum)}, nil
}

// replaceFile writes data to path, readable by the owner alone. A reader sees the
// file as it was or as it is, and so does the next start after a crash.
func replaceFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
