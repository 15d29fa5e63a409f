package main

import (
	"net"
	"syscall"
	"testing"
	"testing/synctest"
)

// crowd is a listener at which somebody always knocks.
type crowd struct{ net.Listener }

func (crowd) Accept() (net.Conn, error) { near, _ := net.Pipe(); return near, nil }
func (crowd) Close() error              { return nil }

// Whoever opens connections without end leaves the node the descriptors that it
// needs to write its ledger down.
func TestCallersLeaveTheNodeItsDescriptors(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	most := min(mostConnections, int(files.Cur/2))
	synctest.Test(t, func(t *testing.T) {
		l := bounded(crowd{})
		accepted := make(chan net.Conn, most+1)
		go func() {
			for range most + 1 {
				conn, err := l.Accept()
				if err != nil {
					t.Error(err)
				}
				accepted <- conn
			}
		}()
		synctest.Wait()
		if n := len(accepted); n != most {
			t.Fatalf("%d connections are open, want %d", n, most)
		}
		if err := (<-accepted).Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(accepted); n != most {
			t.Errorf("one has left, and %d are open, want %d", n, most)
		}
	})
}
