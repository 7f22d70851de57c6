package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// certificateLife is longer than any development session, and short enough
// that a copy left behind is soon of no use. One that is kept is made anew
// when less than certificateRest is left.
const (
	certificateLife = 30 * 24 * time.Hour
	certificateRest = 7 * 24 * time.Hour
)

// KeptCertificate is like SelfSigned, but takes the certificate from a file,
// or puts it there: who trusts it does so after a restart too.
func KeptCertificate(path string) (tls.Certificate, []byte, error) {
	kept, err := os.ReadFile(path)
	if err == nil {
		certificate, err := tls.X509KeyPair(kept, kept)
		if err == nil && time.Until(certificate.Leaf.NotAfter) > certificateRest {
			return certificate, encodeCertificate(certificate), nil
		}
	}
	certificate, public, err := SelfSigned()
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("encoding key: %w", err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	temporary := path + ".new"
	if err := os.WriteFile(temporary, append(public, private...), 0o600); err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("keeping certificate: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("keeping certificate: %w", err)
	}
	return certificate, public, nil
}

func encodeCertificate(c tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}

// SelfSigned makes a certificate for localhost and the loopback addresses,
// and gives it in PEM form for clients to trust.
func SelfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("generating key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("generating serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "local Service Bus"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(certificateLife),
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA:                  true, // or it cannot be its own trust anchor
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("creating certificate: %w", err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return certificate, encodeCertificate(certificate), nil
}
