package tunnel

import (
	"os"

	"golang.org/x/sys/unix"
)

// openTUN makes the TUN device name in the thread's namespace. It is gone when the
// file is closed.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = os.NewSyscallError("make TUN device", unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr))
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil // now: before, it could not be polled
}

// setUp switches an interface of the thread's namespace on or off. Its addresses
// stay, its routes do not.
func setUp(name string, up bool) error {
	return configure(name, func(fd int, ifr *unix.Ifreq) error {
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
			return os.NewSyscallError("get interface flags", err)
		}
		flags := ifr.Uint16() &^ unix.IFF_UP
		if up {
			flags |= unix.IFF_UP
		}
		ifr.SetUint16(flags)
		return os.NewSyscallError("set interface flags", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr))
	})
}

// setAddr gives an interface of the thread's namespace the address, the only one
// that it has then, and the /24 around it.
func setAddr(name string, addr [4]byte) error {
	return configure(name, func(fd int, ifr *unix.Ifreq) error {
		if err := ifr.SetInet4Addr(addr[:]); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, ifr); err != nil {
			return os.NewSyscallError("set address", err)
		}
		if err := ifr.SetInet4Addr([]byte{255, 255, 255, 0}); err != nil {
			return err
		}
		return os.NewSyscallError("set netmask", unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, ifr))
	})
}

// configure gives f what it takes to talk about an interface: any socket will do.
func configure(name string, f func(fd int, ifr *unix.Ifreq) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	return f(fd, ifr)
}
