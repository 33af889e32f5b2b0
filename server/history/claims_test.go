package history_test

import (
	"sync"
	"testing"
	"time"
)

func TestClaims(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		s := e.open(t)
		now, ana, bob := time.Unix(1e9, 0), [32]byte{1}, [32]byte{2}
		const ttl = time.Hour
		claim := func(key [32]byte, after time.Duration, ttl time.Duration, want bool) {
			t.Helper()
			got, err := s.Claim("ana", key, now.Add(after), ttl)
			noError(t, err)
			equal(t, "claim", got, want)
		}
		nobody := [32]byte{}
		owner := func(after time.Duration, ttl time.Duration, want [32]byte) {
			t.Helper()
			got, owned, err := s.Owner("ana", now.Add(after), ttl)
			noError(t, err)
			equal(t, "owned", owned, want != nobody)
			equal(t, "owner", got, want)
		}
		owner(0, ttl, nobody)
		claim(ana, 0, ttl, true)
		claim(bob, ttl, ttl, false)
		claim(ana, ttl, ttl, true)    // its use counts from here on
		claim(ana, ttl/2, ttl, true)  // a clock that went back
		claim(bob, 2*ttl, ttl, false) // so the claim stands still
		owner(2*ttl, ttl, ana)
		owner(2*ttl+time.Second, ttl, nobody)
		owner(1000*ttl, 0, ana)
		claim(bob, 1000*ttl, 0, false)
		claim(bob, 2*ttl+time.Second, ttl, true)
		claim(ana, 2*ttl+time.Second, ttl, false)
		if e.reopen != nil {
			s = e.reopen(t, s)
			claim(ana, 2*ttl+time.Second, ttl, false)
			claim(bob, 2*ttl+time.Second, ttl, true)
		}
	})
}

func TestClaimHasOneWinner(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		s := e.open(t)
		var wg sync.WaitGroup
		won := make(chan byte, 16)
		for i := range 16 {
			wg.Go(func() {
				if ok, err := s.Claim("ana", [32]byte{byte(i)}, time.Now(), 0); ok && err == nil {
					won <- byte(i)
				}
			})
		}
		wg.Wait()
		equal(t, "winners", len(won), 1)
	})
}
