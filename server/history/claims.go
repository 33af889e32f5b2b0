package history

import "time"

// Claim says who holds a name and when they last used it. Its rules are those of every
// engine.
type Claim struct {
	Holder
	Used time.Time
}

// Holds reports whether the claim stands at now. A use in the future, after a
// clock went back, stands.
func (c *Claim) Holds(now time.Time, ttl time.Duration) bool {
	return ttl == 0 || now.Sub(c.Used) <= ttl
}

// Is reports whether by is who holds the claim, at any time.
func (c *Claim) Is(by Holder) bool {
	if c.HasKey() {
		return c.Key == by.Key
	}
	return c.HasFormer() && c.Former == by.Former
}

// Next is the claim after by used the name at now, as [Store.Claim] has it; mine is false,
// and it stays as it is, if the name is somebody else's. held is nil if nobody ever claimed
// the name.
func (held *Claim) Next(by Holder, now time.Time, ttl time.Duration) (c Claim, mine bool) {
	if held == nil {
		return Claim{Holder{Key: by.Key}, now}, true
	}
	if !held.Is(by) {
		if held.Holds(now, ttl) {
			return *held, false
		}
		return Claim{Holder{Key: by.Key}, now}, true
	}
	if held.Used.After(now) {
		now = held.Used // a clock that went back takes nothing away
	}
	return Claim{Holder{by.Key, held.Former}, now}, true
}
