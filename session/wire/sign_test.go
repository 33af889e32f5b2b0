package wire

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"
)

// signVector is an entry of sign.json.
type signVector struct {
	Name      string `json:"name"`
	Seed      string `json:"seed"`
	Key       string `json:"key"`
	Nonce     string `json:"nonce"`
	Server    string `json:"server"`
	Host      string `json:"host"`
	User      string `json:"user"`
	Device    string `json:"device"`
	Signed    string `json:"signed"`
	Signature string `json:"signature"`
	Fits      bool   `json:"fits"`
	Why       string `json:"why"`
}

func (v *signVector) challenge() *Challenge { return &Challenge{Nonce: v.Nonce, Server: v.Server} }

func (v *signVector) hello() *Hello {
	return &Hello{Key: v.Key, Signature: v.Signature, Host: v.Host, Device: v.Device}
}

func (v *signVector) private(t testing.TB) ed25519.PrivateKey {
	seed, err := base64.RawURLEncoding.DecodeString(v.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		t.Fatalf("%s: seed %q", v.Name, v.Seed)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func TestSignVectors(t *testing.T) {
	fit := 0
	for _, v := range vectors[signVector](t, "sign.json") {
		t.Run(v.Name, func(t *testing.T) {
			f := v.hello()
			if got := f.Signed(v.challenge(), v.User); got != v.Fits {
				t.Errorf("fits: %v, want %v %s", got, v.Fits, v.Why)
			}
			if !v.Fits {
				if v.Why == "" {
					t.Error("nobody says why it does not fit")
				}
				return
			}
			fit++
			if got := string(f.signed(v.challenge(), v.User)); got != v.Signed {
				t.Errorf("%q is signed, want %q", got, v.Signed)
			}
			f.Key, f.Signature = "", ""
			if f.Sign(v.private(t), v.challenge(), v.User); f.Key != v.Key || f.Signature != v.Signature {
				t.Errorf("signed with %s: %s, want %s: %s", f.Key, f.Signature, v.Key, v.Signature)
			}
		})
	}
	if fit == 0 {
		t.Error("no entry fits")
	}
}

// A signature is over six parts, and each of them counts.
func TestSignedPartByPart(t *testing.T) {
	v := vectors[signVector](t, "sign.json")[0]
	key := v.private(t)
	name, device, host := "ana", "d", "chat.example"
	signed := func(change int) *Hello {
		ch := &Challenge{Nonce: v.Nonce, Server: v.Server}
		f := &Hello{Host: host, Device: device}
		parts := []string{"holdfast.v1 hello", ch.Nonce, ch.Server, f.Host, name, f.Device}
		if change < len(parts) {
			parts[change] += "x"
		}
		f.Key = base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		f.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(strings.Join(parts, "\n"))))
		return f
	}
	for change := range 7 {
		if got, want := signed(change).Signed(v.challenge(), name), change == 6; got != want {
			t.Errorf("part %d changed: fits %v, want %v", change, got, want)
		}
	}
	for what, change := range map[string]func(*Hello, *Challenge, *string){
		"nonce":  func(_ *Hello, c *Challenge, _ *string) { c.Nonce = v.Server },
		"server": func(_ *Hello, c *Challenge, _ *string) { c.Server = v.Nonce },
		"host":   func(f *Hello, _ *Challenge, _ *string) { f.Host += ":8080" },
		"name":   func(_ *Hello, _ *Challenge, name *string) { *name = "bob" },
		"device": func(f *Hello, _ *Challenge, _ *string) { f.Device += "2" },
	} {
		f, ch, as := &Hello{Host: host, Device: device}, v.challenge(), name
		f.Sign(key, ch, as)
		if !f.Signed(ch, as) {
			t.Fatal("what Sign made does not fit")
		}
		if change(f, ch, &as); f.Signed(ch, as) {
			t.Errorf("another %s: it fits still", what)
		}
	}
}

// The hellos of frames.json are what the holder of sign.json's first key answers to its
// first challenge, so that they can be played to a server.
func TestHelloVectorsAreSigned(t *testing.T) {
	v := vectors[signVector](t, "sign.json")[0]
	for _, g := range vectors[goodVector](t, "frames.json") {
		f, err := Decode(g.bytes(), limitOf(t, g.Direction))
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *Challenge:
			if f.Nonce != v.Nonce || f.Server != v.Server {
				t.Errorf("%s is another challenge than in sign.json", g.Name)
			}
		case *Hello:
			if !f.Signed(v.challenge(), v.User) {
				t.Errorf("%s: the signature does not fit", g.Name)
			}
		}
	}
}

// Nothing may panic, and what fits is spelled in one way: two signatures that differ were
// both made by the holder of the key.
func FuzzSigned(f *testing.F) {
	for _, v := range vectors[signVector](f, "sign.json") {
		f.Add(v.Key, v.Signature, v.Nonce, v.Server, v.Host, v.User, v.Device)
	}
	f.Fuzz(func(t *testing.T, key, signature, nonce, server, host, user, device string) {
		ch := &Challenge{Nonce: nonce, Server: server}
		hello := &Hello{Key: key, Signature: signature, Host: host, Device: device}
		if !hello.Signed(ch, user) {
			return
		}
		for _, text := range []string{key, signature} {
			raw, err := base64.RawURLEncoding.DecodeString(text)
			if err != nil || base64.RawURLEncoding.EncodeToString(raw) != text {
				t.Fatalf("%q fits %q", signature, key)
			}
		}
	})
}
