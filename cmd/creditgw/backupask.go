package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
)

// runningBackup is a backup that a running node is asked for.
type runningBackup struct {
	ctx  context.Context
	conn net.Conn
}

// dialBackup is nil when no node runs on this directory.
func dialBackup(ctx context.Context, dir string) (*runningBackup, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, backupSocketName))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED): // that of a process that was killed
		return nil, nil
	case err != nil:
		return nil, &message{Text: text{"不能请运行中的节点备份", "cannot ask the running node for a backup"}, Cause: err}
	}
	return &runningBackup{ctx, conn}, nil
}

// write has the node write the backup to out, and returns what it says of it.
func (b *runningBackup) write(out io.Writer) (made backupReport, err error) {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return b.conn, nil }}
	defer transport.CloseIdleConnections()
	ask, err := http.NewRequestWithContext(b.ctx, http.MethodPost, "http://node/", nil)
	if err != nil {
		return made, err
	}
	answer, err := transport.RoundTrip(ask)
	if err != nil {
		return made, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(out, answer.Body); err != nil {
		return made, err
	}
	if fault := answer.Trailer.Get(backupFault); fault != "" {
		return made, errors.New(fault)
	}
	said := answer.Trailer.Get(backupMade)
	if said == "" {
		return made, errors.New("the node's answer was cut off")
	}
	return made, json.Unmarshal([]byte(said), &made)
}
