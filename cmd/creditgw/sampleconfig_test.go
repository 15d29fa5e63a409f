package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The sample is YAML whatever the paths are, and says what init was told.
func TestSampleConfigIsYAML(t *testing.T) {
	for _, file := range []string{"", `/etc/口令 "x"\y`} {
		config := sampleConfig{
			Dir: `/srv/天津 "one": #2\n`, Listen: "[2001:db8::12]:8443",
			HTTP: "127.0.0.1:8600", PassphraseFile: file,
		}
		path := filepath.Join(t.TempDir(), configName)
		if err := os.WriteFile(path, config.render(), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readConfig(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Dir != config.Dir || got.Listen != config.Listen || got.HTTP.Listen != config.HTTP ||
			got.PassphraseFile != file || got.LogLevel != "info" || got.Network != "lan" || got.Trust.ShadowVerify <= 0 {
			t.Errorf("got %+v", got)
		}
	}
}

// The sample that deploy ships is read by the same code.
func TestDeployedConfigIsRead(t *testing.T) {
	if _, err := readConfig(filepath.FromSlash("../../deploy/config/creditgw.yaml")); err != nil {
		t.Fatal(err)
	}
}

func TestConfigNamesEveryFaultAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), configName)
	file := "dir: /nowhere/at/all\nlisten: nonsense\nnetwork: moon\nlog_level: loud\ncolour: red\ntrust:\n  shadow_verify: 2\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := loadConfig(path)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, key := range []string{"dir:", "listen:", "network:", "log_level:", "colour", "trust.shadow_verify:"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%q is not named in: %v", key, err)
		}
	}
}
