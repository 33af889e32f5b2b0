package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// A hello is worth nothing but on the connection, for the user, the server, the host and
// the device that it was signed for.
func TestForgedHello(t *testing.T) {
	for name, forge := range map[string]func(h *wire.Hello, c *wire.Challenge){
		"other nonce":      func(h *wire.Hello, c *wire.Challenge) { d := *c; d.Nonce = keyOf("x"); sign(h, &d, "ana") },
		"other server":     func(h *wire.Hello, c *wire.Challenge) { d := *c; d.Server = keyOf("x"); sign(h, &d, "ana") },
		"other user":       func(h *wire.Hello, c *wire.Challenge) { sign(h, c, "bob") },
		"other host":       func(h *wire.Hello, c *wire.Challenge) { h.Host = "elsewhere"; sign(h, c, "ana") },
		"host changed":     func(h *wire.Hello, c *wire.Challenge) { h.Host = "elsewhere"; sign(h, c, "ana"); h.Host = "server" },
		"device changed":   func(h *wire.Hello, c *wire.Challenge) { sign(h, c, "ana"); h.Device = "thief" },
		"key changed":      func(h *wire.Hello, c *wire.Challenge) { sign(h, c, "ana"); h.Key = keyOf("thief") },
		"no signature":     func(h *wire.Hello, _ *wire.Challenge) { h.Signature = "AAAA" },
		"signature longer": func(h *wire.Hello, c *wire.Challenge) { sign(h, c, "ana"); h.Signature += "AAAA" },
		"name not folded":  func(h *wire.Hello, c *wire.Challenge) { sign(h, c, "Ana") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(w *world) {
				ana := w.connect("general", "ana")
				h := hello("ana")
				forge(h, ana.challenge)
				ana.write(h)
				if bye := ana.wantEnd(wire.Forbidden); bye.Message == "" {
					t.Error("bye without a word why")
				}
				thief := w.connect("general", "ana") // nor did it claim the name
				h = hello("ana")
				h.Key = keyOf("thief")
				thief.write(h)
				await[*wire.Welcome](thief)
			})
		})
	}
}

// Who has seen a hello can't say it again.
func TestReplayedHello(t *testing.T) {
	bubble(t, nil, func(w *world) {
		h := hello("ana")
		ana := w.joinWith("general", "ana", h)
		thief := w.connect("general", "ana")
		if thief.challenge.Nonce == ana.challenge.Nonce || thief.challenge.Server != ana.challenge.Server {
			t.Errorf("challenged with %+v and %+v", ana.challenge, thief.challenge)
		}
		if nonce, err := base64.RawURLEncoding.DecodeString(thief.challenge.Nonce); err != nil || len(nonce) != 32 {
			t.Errorf("nonce %q", thief.challenge.Nonce)
		}
		thief.write(h)
		thief.wantEnd(wire.Forbidden)
		ana.send(1, "still here")
		ana.wantTexts("still here")
	})
}

func TestHosts(t *testing.T) {
	for _, c := range []struct {
		hosts    []string
		said     string
		header   string
		rejected string // part of why
	}{
		{nil, "server", "", ""},
		{nil, "SERVER", "", ""},
		{nil, "server:8080", "", ""}, // a port that is missing does not count
		{nil, "chat.example", "", `hello is for "chat.example", but this server was reached as "server": have the proxy`},
		{nil, "", "", `hello is for ""`},
		{nil, "chat.example", "X-Forwarded-Host: inner, Chat.example\r\n", ""},
		{nil, "chat.example", "X-Forwarded-Host: a\r\nX-Forwarded-Host: chat.example:443\r\n", ""},
		{[]string{"chat.example"}, "server", "", "none of this server's names"},
		{[]string{"chat.example"}, "other.example", "X-Forwarded-Host: other.example\r\n", "none of this server's names"},
		{[]string{"a.example", "Chat.example:8080"}, "chat.example:8080", "", ""},
		{[]string{"*"}, "whatever", "", ""},
	} {
		bubble(t, &server.Options{Hosts: c.hosts}, func(w *world) {
			var headers []string
			if c.header != "" {
				headers = append(headers, strings.TrimSuffix(c.header, "\r\n"))
			}
			raw := w.rawDial("general", "ana", headers...)
			h := hello("ana")
			h.Host = c.said
			raw.put(frame(fin|text, string(wire.Encode(sign(h, raw.challenge, "ana")))))
			f, err := wire.Decode(raw.next(), wire.MaxToClient)
			if err != nil {
				t.Fatal(err)
			}
			switch f := f.(type) {
			case *wire.Welcome:
				if c.rejected != "" {
					t.Errorf("%+v: welcome", c)
				}
			case *wire.Bye:
				if c.rejected == "" || f.Code != wire.Forbidden.Word || !strings.Contains(f.Message, c.rejected) {
					t.Errorf("%+v: %+v", c, f)
				}
			}
		})
	}
}

func TestSameHost(t *testing.T) {
	for _, c := range []struct {
		said, name string
		want       bool
	}{
		{"a.example", "A.EXAMPLE", true},
		{"a.example", "a.example:443", true},
		{"a.example", "a.example:80", true},
		{"a.example", "a.example:8080", false},
		{"a.example:8080", "a.example:8080", true},
		{"a.example:8081", "a.example:8080", false},
		{"a.example:8080", "a.example", true},
		{"b.example", "a.example", false},
		{"a.example.", "a.example", false},
		{"[::1]:8080", "[::1]:8080", true},
		{"[::1]:8080", "[::1]", true},
		{"[::1]", "::1", true},
		{"[::1]:8080", "::1", true},
		{"[::2]", "[::1]", false},
		{"", "a.example", false},
		{":80", "a.example:80", false},
	} {
		if got := server.SameHost(c.said, c.name); got != c.want {
			t.Errorf("%q is %q: %v", c.said, c.name, got)
		}
	}
}

// A name that a secret held before there were key pairs is passed on by it, once. What
// was said privately then is still for whoever had the secret.
func TestFormerSecret(t *testing.T) {
	secret, other := sha256.Sum256([]byte("ana's")), sha256.Sum256([]byte("eve's"))
	hash, bob := sha256.Sum256(secret[:]), sha256.Sum256([]byte("bob's"))
	synctest.Test(t, func(t *testing.T) {
		store := &formerly{Store: history.Memory(), name: "ana", claim: history.Claim{Holder: history.Holder{Former: hash}, Used: time.Now()}}
		log, err := store.Open("general", func([]history.Entry) {})
		if err == nil {
			err = log.Append(history.Line{
				User: "bob", Source: "s", N: 1, Kind: history.KindPrivate, To: "ana", Text: "psst",
				Readers: string(bob[:16]) + string(hash[:16]), At: time.Now(),
			})
		}
		synctest.Wait()
		if err = errors.Join(err, log.Close()); err != nil {
			t.Fatal(err)
		}
		run(t, nil, store, func(w *world) {
			text := base64.RawURLEncoding.EncodeToString
			come := func(key, former string) *client {
				c := w.connect("general", "ana")
				h := hello("ana")
				h.Key, h.Former = keyOf(key), former
				c.write(h)
				return c
			}
			thief := come("eve", "")
			thief.wantEnd(wire.NameTaken)
			if !thief.challenge.Former {
				t.Error("the challenge does not ask for the secret")
			}
			come("eve", text(other[:])).wantEnd(wire.NameTaken)
			dia := w.join("general", "dia")
			dia.write(&wire.Send{Source: "s-dia", N: 1, Kind: wire.KindPrivate, To: "ana", Text: "are you there?"})
			await[*wire.Ack](dia)
			ana := come("ana", text(secret[:]))
			await[*wire.Live](ana)
			ana.wantTexts("psst", "are you there?")
			ana.drop()
			come("eve", text(secret[:])).wantEnd(wire.NameTaken)
			ana = come("ana", "")
			await[*wire.Live](ana)
			ana.wantTexts("psst", "are you there?")
			if ana.challenge.Former {
				t.Error("the challenge still asks for the secret")
			}
			w.join("general", "eve").wantTexts()
		})
	})
}

// formerly is a store in which a name was claimed before there were key pairs.
type formerly struct {
	history.Store
	name string

	mu    sync.Mutex
	claim history.Claim
}

func (f *formerly) Claim(name string, by history.Holder, now time.Time, ttl time.Duration) (history.Holder, bool, error) {
	if name != f.name {
		return f.Store.Claim(name, by, now, ttl)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	next, mine := f.claim.Next(by, now, ttl)
	f.claim = next
	return next.Holder, mine, nil
}

func (f *formerly) Owner(name string, now time.Time, ttl time.Duration) (history.Holder, bool, error) {
	if name != f.name {
		return f.Store.Owner(name, now, ttl)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.claim.Holder, true, nil
}

// The server is known by one key for as long as its store lives.
func TestServerKey(t *testing.T) {
	var first string
	synctest.Test(t, func(t *testing.T) {
		store := history.Memory()
		run(t, nil, keep{store}, func(w *world) { first = w.connect("general", "ana").challenge.Server })
		run(t, nil, store, func(w *world) {
			if again := w.connect("other", "bob").challenge.Server; again != first {
				t.Errorf("the server's key is %s, and was %s", again, first)
			}
		})
	})
	bubble(t, nil, func(w *world) {
		if w.connect("general", "ana").challenge.Server == first {
			t.Error("two servers have one key")
		}
	})
}

// keep is a store that lives on.
type keep struct{ history.Store }

func (keep) Close() error { return nil }
