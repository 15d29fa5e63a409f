package main

import (
	"net"
	"syscall"

	"golang.org/x/net/netutil"
)

// mostConnections is how many HTTP connections are open at once, of callers
// with a token and without.
const mostConnections = 4096

// bounded accepts no more connections than leave half of the process's
// descriptors to ledger, journal and peers: a node that can't open its next
// segment ends. Who comes when all are taken waits until one is closed, which
// an idle one is after two minutes at most.
func bounded(l net.Listener) net.Listener {
	most := uint64(mostConnections)
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		most = max(1, min(most, files.Cur/2))
	}
	return netutil.LimitListener(l, int(most))
}
