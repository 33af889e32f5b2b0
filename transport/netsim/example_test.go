package netsim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"holdfast/transport/netsim"
)

// A connection that breaks in the middle of a word.
func Example() {
	n := netsim.New(1, &netsim.Options{OnLink: func(k *netsim.Link) {
		k.CutAfter(0, len("hello, wor")) // of what comes down, to the end that dialled
	}})
	defer n.Close()
	l, err := n.Listen("server")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			_, _ = io.WriteString(c, "hello, world")
		}
	}()

	c, err := n.DialContext(context.Background(), "tcp", "server")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	fmt.Printf("%q, then a reset: %v\n", text, errors.Is(err, syscall.ECONNRESET))
	<-served
	fmt.Println("cuts:", n.Stats().Cuts)
	// Output:
	// "hello, wor", then a reset: true
	// cuts: 1
}
