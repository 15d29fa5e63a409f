package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/peers"
)

// backupSocketName is where a running node hands out backups. Its directory is
// the key: whoever may open files of it may ask, and what he gets is sealed.
const backupSocketName = "backup.sock"

// Trailers behind the bytes of a backup. One of them is there; an answer with
// neither was cut off.
const (
	backupMade  = "Backup-Made"  // a backupReport
	backupFault = "Backup-Fault" // why it is none
)

// serveBackups answers creditgw backup until ctx ends.
func (n *node) serveBackups(ctx context.Context) error {
	path := n.path(backupSocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return &message{
			Text: text{"建不了备份用的套接字 " + path, "cannot make the socket for backups, " + path}, Cause: err,
			Hint: text{"路径最多 107 个字节", "a path has 107 bytes at most"},
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler: http.HandlerFunc(n.backup), ReadHeaderTimeout: time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }, // it also ends a backup under way
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	_ = server.Shutdown(grace) // who still reads then is cut off
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// backup writes one backup as the answer.
func (n *node) backup(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Add("Trailer", backupMade)
	w.Header().Add("Trailer", backupFault)
	source := backupSource{
		dir: n.cfg.Dir, ledger: n.cfg.Genesis.LedgerID(), self: n.cfg.Self,
		keys: n.keys.with(n.named(peers.PurposeDecryption)),
		head: n.store.Head(), directory: n.store.Directory(), vault: n.vault, rand: n.cfg.Rand, now: n.cfg.Wall,
		journal: func() (*journal.Cut, error) { return n.journal.Cut(), nil },
	}
	began := n.cfg.Wall()
	m, err := source.write(untilDone{r.Context(), w})
	made, encodeErr := json.Marshal(reportOf(m))
	if err = errors.Join(err, encodeErr); err != nil {
		n.cfg.Logger.Error("no backup was made", "reason", err)
		w.Header().Set(backupFault, err.Error())
		return
	}
	n.cfg.Logger.Info("backed up", "events", m.Events, "size", m.Size, "took", n.cfg.Wall().Sub(began))
	w.Header().Set(backupMade, string(made))
}

// untilDone writes as long as the context stands.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u untilDone) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(b)
}
