package disk_test

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
	"holdfast/server/history/disk"
)

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
	noError(t, disk.SetFormerClaim(s, "ana", secret, now))
	noError(t, disk.SetFormerClaim(s, "bob", secret, now))
	noError(t, disk.SetFormatVersion(s, 2))
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

func TestServerSeedOutlivesPowerCut(t *testing.T) {
	fs := vfs.NewCrashableMem()
	seed, err := openDisk(t, "h", fs).ServerSeed()
	noError(t, err)
	again, err := openDisk(t, "h", fs.CrashClone(vfs.CrashCloneCfg{})).ServerSeed()
	noError(t, err)
	equal(t, "seed", again, seed)
}
