package quicnet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"
)

// protocol is the ALPN name; its number changes with the wire format.
const protocol = "xinqiao-peer/1"

// tlsConfigs returns the two sides' settings around one certificate that is
// made now and never written down. Nobody verifies it: identity is bound to the
// connection by identity.go, which a certificate in the middle can't survive.
// So it has no lifetime to speak of, and nothing can expire at night.
func tlsConfigs() (server, client *tls.Config, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("quicnet: TLS key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280: no expiry
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("quicnet: TLS certificate: %w", err)
	}
	server = &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol},
		Certificates:           []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		SessionTicketsDisabled: true,
	}
	client = &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol},
		ServerName:             "peer",
		InsecureSkipVerify:     true, // see above: identity.go verifies
		SessionTicketsDisabled: true,
	}
	return server, client, nil
}
