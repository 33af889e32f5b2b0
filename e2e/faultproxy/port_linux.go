package faultproxy

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// holdPort binds a free loopback port without listening and returns its address.
// A listener may share it. While none does, the kernel refuses connections, and
// the port is not given to anybody else, such as a client that dials out.
func holdPort() (string, io.Closer, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	held := os.NewFile(uintptr(fd), "held port")
	port, err := bindLoopback(fd)
	if err != nil {
		_ = held.Close()
		return "", nil, err
	}
	return fmt.Sprintf("127.0.0.1:%d", port), held, nil
}

func bindLoopback(fd int) (int, error) {
	// Without this on both sockets the listener could not share the port.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return addr.(*syscall.SockaddrInet4).Port, nil
}
