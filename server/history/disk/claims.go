package disk

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"holdfast/server/history"
)

// Claim implements Store. It returns when the claim is durable. While writes wait
// for room it does not: it confirms a claim without noting its use.
func (d *disk) Claim(name string, by history.Holder, now time.Time, ttl time.Duration) (holder history.Holder, mine bool, err error) {
	if err := checkNames(name); err != nil {
		return holder, false, err
	}
	if err := d.enter(); err != nil {
		return holder, false, err
	}
	defer d.leave()
	if d.space.stuck() {
		return d.confirmClaim(name, by, now, ttl)
	}
	c, mine, err := d.writeClaim(name, by, now, ttl)
	if mine && err == nil {
		// An empty log record with a sync makes all before it durable. It comes
		// after writeClaim let others in, so that many claims share one sync.
		err = d.db.LogData(nil, pebble.Sync)
	}
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return holder, false, fmt.Errorf("claim name: %w", err)
	}
	return c.Holder, mine, nil
}

// confirmClaim is Claim for when nothing can be written.
func (d *disk) confirmClaim(name string, by history.Holder, now time.Time, ttl time.Duration) (holder history.Holder, mine bool, err error) {
	held, err := d.readClaim(name)
	switch {
	case err == nil && held != nil && held.HasKey() && held.Is(by):
		return held.Holder, true, d.Err()
	case err == nil && held != nil && !held.Is(by) && held.Holds(now, ttl):
		return held.Holder, false, d.Err()
	case err == nil:
		err = history.ErrFull
	}
	return holder, false, fmt.Errorf("claim name: %w", err)
}

// writeClaim looks the claim up and writes it, without a sync, as one step.
func (d *disk) writeClaim(name string, by history.Holder, now time.Time, ttl time.Duration) (c history.Claim, mine bool, err error) {
	d.claiming <- struct{}{} // not a mutex, as it is held across disk access
	defer func() { <-d.claiming }()
	held, err := d.readClaim(name)
	if err != nil {
		return c, false, err
	}
	if c, mine = held.Next(by, now, ttl); !mine {
		return c, false, nil
	}
	return c, true, d.db.Set(claimKey(name), appendClaim(nil, c), pebble.NoSync)
}

// readClaim returns nil if nobody ever claimed name.
func (d *disk) readClaim(name string) (*history.Claim, error) {
	value, err := d.get(claimKey(name))
	if err != nil || value == nil {
		return nil, err
	}
	c, err := decodeClaim(value)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// Owner implements Store.
func (d *disk) Owner(name string, now time.Time, ttl time.Duration) (holder history.Holder, owned bool, err error) {
	if err := checkNames(name); err != nil {
		return holder, false, err
	}
	if err := d.enter(); err != nil {
		return holder, false, err
	}
	defer d.leave()
	c, err := d.readClaim(name)
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return holder, false, fmt.Errorf("look up name: %w", err)
	}
	if c == nil || !c.Holds(now, ttl) {
		return holder, false, nil
	}
	return c.Holder, true, nil
}

// ServerSeed implements Store.
func (d *disk) ServerSeed() (seed [32]byte, err error) {
	if err := d.enter(); err != nil {
		return seed, err
	}
	defer d.leave()
	d.claiming <- struct{}{}
	defer func() { <-d.claiming }()
	value, err := d.get(seedKey())
	switch {
	case err != nil:
	case value == nil && d.space.stuck():
		err = history.ErrFull
	case value == nil:
		rand.Read(seed[:])
		err = d.db.Set(seedKey(), seed[:], pebble.Sync)
	case len(value) != len(seed):
		err = errDamaged
	default:
		seed = [32]byte(value)
	}
	if failure := d.Err(); failure != nil {
		err = failure
	}
	if err != nil {
		return [32]byte{}, fmt.Errorf("server seed: %w", err)
	}
	return seed, nil
}
