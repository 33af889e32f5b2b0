package main

import (
	"testing"

	"holdfast/session"
)

// TestOrigin: receipts find their line of input, whether they come before or after the
// source is known; those of another process have none.
func TestOrigin(t *testing.T) {
	var o origin
	receipt := func(source string, n uint64) session.Receipt {
		return session.Receipt{ID: session.ID{Source: source, N: n}}
	}
	o.note([]int{1, 4})
	for _, r := range []session.Receipt{receipt("old", 9), receipt("new", 1)} {
		if _, known := o.find(r); known {
			t.Errorf("%v is known too early", r)
		}
	}
	early, want := o.begin("new"), []int{0, 1}
	if len(early) != len(want) {
		t.Fatalf("%d of the early receipts are left", len(early))
	}
	for i, r := range early {
		if n, known := o.find(r); !known || n != want[i] {
			t.Errorf("%v: line %d, want %d", r, n, want[i])
		}
	}
	o.note([]int{5})
	for _, c := range []struct {
		r    session.Receipt
		want int
	}{{receipt("new", 2), 4}, {receipt("new", 3), 5}, {receipt("new", 4), 0}, {receipt("old", 2), 0}} {
		if n, known := o.find(c.r); !known || n != c.want {
			t.Errorf("%v: line %d, want %d", c.r, n, c.want)
		}
	}
	if rest := o.rest(); rest != nil {
		t.Errorf("left: %v", rest)
	}
}
