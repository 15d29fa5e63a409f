//go:build !linux

package quicnet

import "net"

func coalesce(conn net.PacketConn) net.PacketConn { return conn }
