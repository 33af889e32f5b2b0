package main

import (
	"sync"

	"holdfast/session"
)

// origin knows which line of input each line of this process was, so that receipts can
// say so. A process numbers its lines 1, 2, 3… under one source, which it learns when
// the first has been taken; a receipt may be there before. All methods may be called
// from any goroutine. The zero value is ready to use.
type origin struct {
	mu      sync.Mutex
	source  string
	numbers []int // by a line's number under source, from 1
	early   []session.Receipt
}

// note is told the input numbers of lines that are about to be taken.
func (o *origin) note(numbers []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.numbers = append(o.numbers, numbers...)
}

// begin is told the source, and returns the receipts that came before it was known.
func (o *origin) begin(source string) []session.Receipt {
	o.mu.Lock()
	o.source = source
	o.mu.Unlock()
	return o.rest()
}

// find returns the input number of the line that r is about, zero for one that an
// earlier process left. If that is not known yet, r is kept for begin or rest.
func (o *origin) find(r session.Receipt) (number int, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch n := r.ID.N; {
	case o.source == "":
		o.early = append(o.early, r)
		return 0, false
	case r.ID.Source == o.source && n >= 1 && n <= uint64(len(o.numbers)):
		return o.numbers[n-1], true
	}
	return 0, true
}

// rest returns the receipts that were kept: those of lines of an earlier process, if
// this one sent none.
func (o *origin) rest() []session.Receipt {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := o.early
	o.early = nil
	return rest
}
