package historytest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"holdfast/server/history"
)

func testClaims(t *testing.T, e Engine) {
	s := e.Open(t)
	now, ana, bob := time.Unix(1e9, 0), [32]byte{1}, [32]byte{2}
	const ttl = time.Hour
	claim := func(key [32]byte, after time.Duration, ttl time.Duration, want bool) {
		t.Helper()
		_, got, err := s.Claim("ana", history.Holder{Key: key}, now.Add(after), ttl)
		noError(t, err)
		equal(t, "claim", got, want)
	}
	nobody := [32]byte{}
	owner := func(after time.Duration, ttl time.Duration, want [32]byte) {
		t.Helper()
		got, owned, err := s.Owner("ana", now.Add(after), ttl)
		noError(t, err)
		equal(t, "owned", owned, want != nobody)
		equal(t, "owner", got, history.Holder{Key: want})
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
	if e.Reopen != nil {
		s = e.Reopen(t, s)
		claim(ana, 2*ttl+time.Second, ttl, false)
		claim(bob, 2*ttl+time.Second, ttl, true)
	}
}

func testClaimHasOneWinner(t *testing.T, e Engine) {
	s := e.Open(t)
	var wg sync.WaitGroup
	won := make(chan byte, 16)
	for i := range 16 {
		wg.Go(func() {
			if _, ok, err := s.Claim("ana", history.Holder{Key: [32]byte{byte(i + 1)}}, time.Now(), 0); ok && err == nil {
				won <- byte(i)
			}
		})
	}
	wg.Wait()
	equal(t, "winners", len(won), 1)
}

// The seed is made once, however many ask, and is on disk before anybody has it.
func testServerSeed(t *testing.T, e Engine) {
	s := e.Open(t)
	var all sync.WaitGroup
	seeds := make(chan [32]byte, 8)
	for range cap(seeds) {
		all.Go(func() {
			seed, err := s.ServerSeed()
			if err != nil {
				t.Error(err)
			}
			seeds <- seed
		})
	}
	all.Wait()
	first := <-seeds
	for range cap(seeds) - 1 {
		equal(t, "seed", <-seeds, first)
	}
	if first == [32]byte{} {
		t.Error("the seed is zero")
	}
	if e.Reopen != nil {
		s = e.Reopen(t, s)
		again, err := s.ServerSeed()
		noError(t, err)
		equal(t, "seed after reopen", again, first)
	} else if other, err := e.Open(t).ServerSeed(); err != nil || other == first {
		t.Error("two stores have one seed, or", err)
	}
	noError(t, s.Close())
	if _, err := s.ServerSeed(); !errors.Is(err, history.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
