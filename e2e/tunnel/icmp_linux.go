package tunnel

import "encoding/binary"

const ipHeader = 20 // bytes, without options, which nobody here sends

// unreachable is what a router that can't pass p on tells its sender: ICMP host
// unreachable, with the beginning of p, by which the sender finds the socket.
func unreachable(p []byte) []byte {
	quoted := p[:min(len(p), ipHeader+8)]
	m := make([]byte, ipHeader+8, ipHeader+8+len(quoted))
	m = append(m, quoted...)
	m[0] = 0x45 // version 4, five words of header
	binary.BigEndian.PutUint16(m[2:], uint16(len(m)))
	m[8], m[9] = 64, 1     // time to live, protocol ICMP
	copy(m[12:16], p[16:]) // from where p was going to
	copy(m[16:20], p[12:]) // to where it came from
	m[20], m[21] = 3, 1    // destination unreachable: the host
	checksum(m[10:], m[:ipHeader])
	checksum(m[ipHeader+2:], m[ipHeader:])
	return m
}

// checksum puts the Internet checksum of data, RFC 1071, at a place that is zero
// in it.
func checksum(at, data []byte) {
	var sum uint32
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(at, ^uint16(sum))
}
