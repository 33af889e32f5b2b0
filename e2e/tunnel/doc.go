// Package tunnel puts real processes into network namespaces of their own, joined
// by wires that lose, delay, reorder, double, corrupt and swallow packets, as radio
// and routers do. What TCP makes of that, its ends get to feel. For faults that TCP
// shows its ends itself use faultproxy, for faults under fake time netsim.
//
// A Space is a namespace, a Wire joins two of them: a TUN device at each end, and
// in between this package, which reads packets at one and writes them at the other.
// Each direction is a Line with Faults, and counts what they did. A server's space
// takes the wires of many clients, each with a subnet of its own.
//
// Linux only. It needs root and /dev/net/tun, and no tool. Spaces have no names:
// they, their devices and addresses are gone with the last descriptor and the last
// process in them, however the test ends, and tests can't get into each other's way.
//
// Who runs what: each Line has a reader and a writer; Wire.Close waits for them.
// Space.Do takes the calling goroutine's thread there and back.
package tunnel
