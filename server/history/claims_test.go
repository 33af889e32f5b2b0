package history_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
)

func TestClaims(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		s := e.open(t)
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
				if _, ok, err := s.Claim("ana", history.Holder{Key: [32]byte{byte(i + 1)}}, time.Now(), 0); ok && err == nil {
					won <- byte(i)
				}
			})
		}
		wg.Wait()
		equal(t, "winners", len(won), 1)
	})
}

// A name that a secret held, in a store of before there were key pairs, is passed on by
// the secret alone, to one key; and whoever has it is known to have had the secret.
func TestFormerClaim(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openDisk(t, "h", fs)
	now, secret := time.Unix(1e9, 0), [32]byte{9}
	const ttl = time.Hour
	reopen := func() {
		noError(t, s.Close())
		s = openDisk(t, "h", fs)
	}
	noError(t, history.SetFormerClaim(s, "ana", secret, now))
	noError(t, history.SetFormerClaim(s, "bob", secret, now))
	noError(t, history.SetFormatVersion(s, 2))
	reopen()
	claim := func(name string, by, holder history.Holder, mine bool, after time.Duration) {
		t.Helper()
		got, ok, err := s.Claim(name, by, now.Add(after), ttl)
		noError(t, err)
		equal(t, "claim", ok, mine)
		equal(t, "holder", got, holder)
	}
	former := history.Holder{Former: secret}
	held, owned, err := s.Owner("ana", now, ttl)
	noError(t, err)
	equal(t, "owned", owned, true)
	equal(t, "owner", held, former)
	ana, thief := [32]byte{1}, [32]byte{2}
	claim("ana", history.Holder{Key: ana}, former, false, 0)
	claim("ana", history.Holder{Key: ana, Former: [32]byte{8}}, former, false, 0)
	after := history.Holder{Key: ana, Former: secret}
	claim("ana", after, after, true, 0)
	claim("ana", history.Holder{Key: thief, Former: secret}, after, false, 0) // it opens nothing any more
	claim("ana", history.Holder{Key: ana}, after, true, 0)
	reopen()
	claim("ana", history.Holder{Key: ana}, after, true, 0)
	claim("ana", history.Holder{Key: ana}, after, true, 2*ttl) // free, but nobody else came
	claim("ana", history.Holder{Key: thief}, history.Holder{Key: thief}, true, 4*ttl)
	claim("bob", history.Holder{Key: thief, Former: [32]byte{8}}, history.Holder{Key: thief}, true, 2*ttl)
}

// The seed is made once, however many ask, and is on disk before anybody has it.
func TestServerSeed(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		s := e.open(t)
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
		if e.reopen != nil {
			s = e.reopen(t, s)
			again, err := s.ServerSeed()
			noError(t, err)
			equal(t, "seed after reopen", again, first)
		} else if other, err := e.open(t).ServerSeed(); err != nil || other == first {
			t.Error("two stores have one seed, or", err)
		}
		noError(t, s.Close())
		if _, err := s.ServerSeed(); !errors.Is(err, history.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestServerSeedOutlivesPowerCut(t *testing.T) {
	fs := vfs.NewCrashableMem()
	seed, err := openDisk(t, "h", fs).ServerSeed()
	noError(t, err)
	again, err := openDisk(t, "h", fs.CrashClone(vfs.CrashCloneCfg{})).ServerSeed()
	noError(t, err)
	equal(t, "seed", again, seed)
}
