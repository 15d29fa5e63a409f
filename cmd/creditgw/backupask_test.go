package main

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a node did not say was whole is no backup, and no file is left of it.
func TestAnAnswerThatIsNoBackupLeavesNoFile(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"without an end": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half a backup"))
		}, "cut off"},
		"with a fault": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", backupFault)
			_, _ = w.Write([]byte("half a backup"))
			w.Header().Set(backupFault, "the journal is damaged")
		}, "the journal is damaged"},
	} {
		dir := t.TempDir()
		listener, err := net.Listen("unix", filepath.Join(dir, backupSocketName))
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: c.answer}
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(listener) }()
		file := filepath.Join(dir, "backup")
		p, _, errOut := testProgram(nil)
		if code := p.run(t.Context(), []string{"backup", "--dir", dir, file}); code != exitInvalid || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%s: exit %d: %s", name, code, errOut)
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a file is left: %v", name, err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}
}
