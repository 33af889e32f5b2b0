package history

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Claim implements Store. It returns when the claim is durable. While writes wait
// for room it does not: it confirms a claim without noting its use.
func (d *disk) Claim(name string, key [32]byte, now time.Time, ttl time.Duration) (bool, error) {
	if err := checkNames(name); err != nil {
		return false, err
	}
	if err := d.enter(); err != nil {
		return false, err
	}
	defer d.leave()
	if d.space.stuck() {
		return d.confirmClaim(name, key, now, ttl)
	}
	ok, err := d.writeClaim(name, key, now, ttl)
	if ok && err == nil {
		// An empty log record with a sync makes all before it durable. It comes
		// after writeClaim let others in, so that many claims share one sync.
		err = d.db.LogData(nil, pebble.Sync)
	}
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return false, fmt.Errorf("claim name: %w", err)
	}
	return ok, nil
}

// confirmClaim is Claim for when nothing can be written.
func (d *disk) confirmClaim(name string, key [32]byte, now time.Time, ttl time.Duration) (bool, error) {
	held, found, err := d.readClaim(name)
	switch {
	case err == nil && found && held.key == key:
		return true, d.Err()
	case err == nil && found && held.holds(now, ttl):
		return false, d.Err()
	case err == nil:
		err = ErrFull
	}
	return false, fmt.Errorf("claim name: %w", err)
}

// writeClaim looks the claim up and writes it, without a sync, as one step.
func (d *disk) writeClaim(name string, key [32]byte, now time.Time, ttl time.Duration) (bool, error) {
	d.claiming <- struct{}{} // not a mutex, as it is held across disk access
	defer func() { <-d.claiming }()
	held, found, err := d.readClaim(name)
	if err != nil {
		return false, err
	}
	if found && held.key != key && held.holds(now, ttl) {
		return false, nil
	}
	if found && held.key == key && held.used.After(now) {
		now = held.used // a clock that went back takes nothing away
	}
	return true, d.db.Set(claimKey(name), appendClaim(nil, claim{key, now}), pebble.NoSync)
}

func (d *disk) readClaim(name string) (c claim, found bool, err error) {
	value, err := d.get(claimKey(name))
	if err != nil || value == nil {
		return c, false, err
	}
	c, err = decodeClaim(value)
	return c, err == nil, err
}

// Owner implements Store.
func (d *disk) Owner(name string, now time.Time, ttl time.Duration) (key [32]byte, owned bool, err error) {
	if err := checkNames(name); err != nil {
		return key, false, err
	}
	if err := d.enter(); err != nil {
		return key, false, err
	}
	defer d.leave()
	c, found, err := d.readClaim(name)
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return key, false, fmt.Errorf("look up name: %w", err)
	}
	if !found || !c.holds(now, ttl) {
		return key, false, nil
	}
	return c.key, true, nil
}
