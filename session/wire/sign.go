package wire

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
)

// Sign fills in Key and Signature, by which a client proves that it holds the private
// key of name, a user's name in lower case. Host and Device must be there already. The
// signature is worth nothing elsewhere: it holds for one connection (the nonce), one
// server (its key), and the host that the client dialled.
func (f *Hello) Sign(key ed25519.PrivateKey, c *Challenge, name string) {
	f.Key = base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	f.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, f.signed(c, name)))
}

// Signed reports whether the hello was signed for c and name by the holder of Key. A key
// or signature that is malformed fits nothing.
func (f *Hello) Signed(c *Challenge, name string) bool {
	key, err := Key(f.Key)
	if err != nil || len(f.Signature) != base64.RawURLEncoding.EncodedLen(ed25519.SignatureSize) {
		return false // the length too, because base64 skips line breaks
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(f.Signature)
	return err == nil && ed25519.Verify(key[:], f.signed(c, name), signature)
}

// signed is what a hello's signature is over, PROTOCOL.md "Who is who".
func (f *Hello) signed(c *Challenge, name string) []byte {
	return []byte(strings.Join([]string{"holdfast.v1 hello", c.Nonce, c.Server, f.Host, name, f.Device}, "\n"))
}
