// Package faultproxy puts a bad network between real processes that talk TCP: a
// relay on a free loopback port that resets, loses, holds, delays, cuts and
// slices on demand. For faults under fake time use netsim instead.
//
// Up is from the client, which dialled the proxy, to the server behind it; down
// is the way back. What each fault does to the bytes and to the end of a stream:
//
//	fault          bytes                      FIN or RST of an end   after the fault
//	Reset          dropped                    both ends get RST      new connections work
//	Hole           read and thrown away       thrown away too        the same connections stay dead, new ones work
//	Stall          held, in order             held in its place      all is delivered
//	SetDelay       late by d                  late by d              -
//	CutAfter       n more pass, then RST      passed on              RST reached both ends
//	Slice          written n at a time        passed on              -
//	Refuse         untouched                  passed on              the same port again
//
// A hole is what a middlebox leaves that forgot a connection: nobody is told, so
// only a heartbeat finds out. Bytes were lost, so such a connection can never be
// right again, and the proxy does not pretend: a direction that was in a hole
// stays dead and silent for the connection's whole life, also after the hole is
// gone. To tell the ends at that point, call Reset. A link that loses packets and
// then recovers, as TCP hides it from its ends, is a Stall.
//
// Who runs what: one goroutine accepts, each connection has one that owns both
// sockets, and a reader and a writer each way. Close waits for all of them.
package faultproxy
