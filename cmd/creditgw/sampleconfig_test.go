package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/cmd/command"
)

// The sample is YAML whatever the paths are, and says what init was told.
func TestSampleConfigIsYAML(t *testing.T) {
	for _, file := range []string{"", `/etc/口令 "x"\y`} {
		config := sampleConfig{
			Dir: `/srv/天津 "one": #2\n`, Addr: "[2001:db8::12]:8700",
			HTTP: "127.0.0.1:8600", PassphraseFile: file,
		}
		path := filepath.Join(t.TempDir(), configName)
		if err := os.WriteFile(path, config.render(), 0o600); err != nil {
			t.Fatal(err)
		}
		got, faults, err := readConfig(path)
		if err != nil || len(faults) > 0 {
			t.Fatal(faults, err)
		}
		if got.Dir != config.Dir || got.Listen != config.Addr || got.HTTP.Listen != config.HTTP ||
			got.PassphraseFile != file || got.LogLevel != "info" || got.Network != "wan" || got.Trust.ShadowVerify <= 0 {
			t.Errorf("got %+v", got)
		}
	}
}

// The name by which others reach a node may be that of a gateway in front of it.
func TestANameIsNotListenedOn(t *testing.T) {
	if at := (sampleConfig{Addr: "gw.tj.example:8700"}).Listen(); at != ":8700" {
		t.Errorf("listens on %s", at)
	}
}

func TestConfigNamesEveryFaultAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), configName)
	file := "dir: /nowhere/at/all\nlisten: nonsense\nnetwork: moon\nlog_level: loud\ncolour: red\ntrust:\n  shadow_verify: 2\nhttp:\n  cert_file: nowhere\n  key_file: nowhere\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := loadConfig(path)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, lang := range []command.Language{command.Chinese, command.English} {
		p := &program{Program: command.Program{Lang: lang}}
		told := p.Explain(err)
		for _, key := range []string{"dir", "listen", "network", "log_level", "colour", "trust.shadow_verify", "http.cert_file, http.key_file"} {
			if !strings.Contains(told, "\n  "+key+p.Say(text{"：", ": "})) {
				t.Errorf("%q is not named in: %s", key, told)
			}
		}
	}
}

// A file that is not there is one fault, not one for each key.
func TestConfigThatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), configName)
	if _, err := loadConfig(path); err == nil || strings.Contains(err.Error(), "network") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}
