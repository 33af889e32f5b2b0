package transport_test

import (
	"testing"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// TestFullJitter draws from the real library: attempt k waits U[0, min(15 s,
// 500 ms·2^k)], also at the cap, and for ever.
func TestFullJitter(t *testing.T) {
	const draws, tenths = 4000, 10
	bubble(t, nil, func(t *testing.T, _ *netsim.Net) {
		b := transport.FullJitter()
		var counts [12][tenths]int
		for range draws {
			b.Reset()
			for k := range counts {
				top := min(15*time.Second, 500*time.Millisecond<<k)
				d := b.NextBackOff()
				if d < 0 || d > top {
					t.Fatalf("attempt %d waits %v, at most %v", k, d, top)
				}
				counts[k][min(tenths-1, int(tenths*d/(top+1)))]++
			}
		}
		for k, c := range counts {
			for tenth, n := range c {
				if mean := draws / tenths; n < mean*7/10 || n > mean*13/10 {
					t.Errorf("attempt %d: %d of %d draws in tenth %d", k, n, draws, tenth)
				}
			}
		}
		for range 1000 {
			sleep(time.Hour)
			if d := b.NextBackOff(); d < 0 || d > 15*time.Second {
				t.Fatalf("after hours it waits %v", d)
			}
		}
	})
}
