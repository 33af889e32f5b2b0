package server

// queue holds peers in the order in which it is their turn.
type queue struct {
	peers []*peer
	next  int // those before it had their turn
}

func (q *queue) push(p *peer) { q.peers = append(q.peers, p) }

// pop returns nil if nobody waits.
func (q *queue) pop() *peer {
	if q.next == len(q.peers) {
		return nil
	}
	p := q.peers[q.next]
	q.peers[q.next] = nil
	q.next++
	if 2*q.next >= len(q.peers) { // in total, each one is moved once at most
		n := copy(q.peers, q.peers[q.next:])
		clear(q.peers[n:])
		q.peers, q.next = q.peers[:n], 0
	}
	return p
}
