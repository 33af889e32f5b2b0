package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"holdfast/server/history"
	"holdfast/session/wire"
)

// How a user proves to be one, PROTOCOL.md "Who is who".

// challenge makes what user's hello on one connection is to sign.
func (s *Server) challenge(user string) (*wire.Challenge, error) {
	key, err := s.publicKey()
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	holder, held, err := s.opts.Store.Owner(user, time.Now(), s.opts.NameTTL)
	if err != nil {
		return nil, err
	}
	var nonce [32]byte
	rand.Read(nonce[:])
	return &wire.Challenge{
		Nonce:  base64.RawURLEncoding.EncodeToString(nonce[:]),
		Server: key,
		Former: held && !holder.HasKey(),
	}, nil
}

// publicKey returns the server's key as it stands on the wire.
func (s *Server) publicKey() (string, error) {
	if key := s.key.Load(); key != nil {
		return *key, nil
	}
	seed, err := s.opts.Store.ServerSeed() // the same for all who come here at once
	if err != nil {
		return "", err
	}
	public := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
	key := base64.RawURLEncoding.EncodeToString(public)
	s.key.Store(&key)
	return key, nil
}

// greet speaks first, and returns the hello of who holds the user's name.
func (l *link) greet(c *wire.Challenge) (*wire.Hello, error) {
	late := time.AfterFunc(l.srv.opts.HelloTimeout, func() { l.reject(wire.HelloLate, wire.HelloLate.Text) })
	h, err := l.hello(c)
	if !late.Stop() {
		return nil, errors.New("hello late")
	}
	if err != nil {
		return nil, err
	}
	return h, l.admit(c, h)
}

// hello says c and waits for the client's first frame.
func (l *link) hello(c *wire.Challenge) (*wire.Hello, error) {
	if err := l.conn.Write(wire.Encode(c)); err != nil {
		return nil, err
	}
	msg, err := l.conn.Read()
	if err != nil {
		return nil, err
	}
	f, err := wire.Decode(msg, wire.MaxToServer)
	if err != nil {
		l.reject(wire.Malformed, err.Error())
		return nil, err
	}
	h, ok := f.(*wire.Hello)
	if !ok {
		l.reject(wire.Malformed, "the first frame must be hello")
		return nil, errors.New("no hello")
	}
	return h, nil
}

// admit finds out whether a hello is that of who holds the user's name.
func (l *link) admit(c *wire.Challenge, h *wire.Hello) error {
	s := l.srv
	by, err := claimant(h)
	if err != nil {
		l.reject(wire.Malformed, err.Error())
		return err
	}
	if l.grant.Identity != "" { // the application knows, so nothing has to be proved
		by.Key = l.grant.holder().Key
	} else if err := l.prove(c, h); err != nil {
		return err
	}
	holder, mine, err := s.opts.Store.Claim(l.user, by, time.Now(), s.opts.NameTTL)
	if err != nil {
		l.broken("claim name", err)
		return err
	}
	if !mine {
		l.reject(wire.NameTaken, s.takenText(l.user))
		return errors.New("name claimed by another key")
	}
	l.holder = holder
	return nil
}

// prove finds out whether a hello is from who holds its key, and for this server.
func (l *link) prove(c *wire.Challenge, h *wire.Hello) error {
	if !h.Signed(c, l.user) {
		l.reject(wire.Forbidden, "the signature of hello does not fit the key and the challenge: check what is signed, and in which order")
		return errors.New("bad signature")
	}
	if why := l.srv.foreign(h.Host, l.reached); why != "" {
		l.reject(wire.Forbidden, why)
		return errors.New("hello for another host")
	}
	return nil
}

// claimant is who says hello.
func claimant(h *wire.Hello) (by history.Holder, err error) {
	if by.Key, err = wire.Key(h.Key); err == nil && !by.HasKey() {
		err = errors.New("key is all zeros")
	}
	if err != nil || h.Former == "" {
		return by, err
	}
	secret, err := wire.Key(h.Former)
	by.Former = sha256.Sum256(secret[:])
	return by, err
}

// reached returns the hosts that a request is for, by its own word.
func reached(r *http.Request) []string {
	hosts := []string{r.Host}
	for _, h := range r.Header.Values("X-Forwarded-Host") {
		for host := range strings.SplitSeq(h, ",") {
			hosts = append(hosts, strings.TrimSpace(host))
		}
	}
	return hosts
}

// foreign says why a hello is for another host than this server; it is empty if it is
// not. Who was not told its names has only the request's word for them.
func (s *Server) foreign(host string, reached []string) (why string) {
	own := s.opts.Hosts
	if len(own) == 0 {
		own = reached
	}
	for _, name := range own {
		if name == "*" || name != "" && sameHost(host, name) {
			return ""
		}
	}
	if len(s.opts.Hosts) > 0 {
		return fmt.Sprintf("hello is for %q, which is none of this server's names: dial it by one of them, or add this one to them", host)
	}
	return fmt.Sprintf("hello is for %q, but this server was reached as %q: have the proxy pass the Host header on, or tell the server its names",
		host, reached[0])
}

// sameHost reports whether said is the host name. A port counts if name has one; if said
// has none, it is that of the scheme.
func sameHost(said, name string) bool {
	saidHost, saidPort := splitPort(said)
	host, port := splitPort(name)
	if !strings.EqualFold(saidHost, host) {
		return false
	}
	return port == "" || port == saidPort || saidPort == "" && (port == "80" || port == "443")
}

// splitPort splits host from its port, if it has one. An IPv6 address may stand without
// brackets.
func splitPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") || s[0] != '[' && strings.Count(s, ":") > 1 {
		return strings.Trim(s, "[]"), ""
	}
	return strings.Trim(s[:i], "[]"), s[i+1:]
}
