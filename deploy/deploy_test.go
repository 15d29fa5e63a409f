// Package deploy_test checks the files that operators install as they are: they
// parse, they agree with one another and they keep the hardening that
// docs/runbook.md tells operators to rely on.
package deploy_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// directives returns the lines of a unit's section as key and values; a key
// that stands several times has several values.
func directives(t *testing.T, file, section string) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]string)
	current := ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			current = line
		}
		if key, value, ok := strings.Cut(line, "="); ok && current == "["+section+"]" && line[0] != '#' {
			found[key] = append(found[key], value)
		}
	}
	return found
}

func TestUnitKeepsItsPromises(t *testing.T) {
	service := directives(t, "systemd/creditgw.service", "Service")
	for key, want := range map[string]string{
		"Type":                     "notify",
		"User":                     "creditgw",
		"UMask":                    "0077",
		"LimitCORE":                "0", // keys are in memory
		"NoNewPrivileges":          "yes",
		"CapabilityBoundingSet":    "",
		"ProtectSystem":            "strict",
		"StateDirectoryMode":       "0700",
		"Restart":                  "on-failure",
		"RestartPreventExitStatus": "2", // wrong configuration
	} {
		if !slices.Equal(service[key], []string{want}) {
			t.Errorf("%s=%q, want %q", key, service[key], want)
		}
	}
	if service["WatchdogSec"] == nil {
		t.Error("a node that hangs is not restarted")
	}
	for _, start := range service["ExecStart"] {
		if strings.Contains(strings.ToLower(start), "passphrase") {
			t.Error("the passphrase is visible in the process list")
		}
	}
}

func TestUnitIsLittleExposed(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	// The threshold counts tenths; 10.0 is a service without any hardening.
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager",
		"--threshold=15", "systemd/creditgw.service").CombinedOutput()
	if err != nil {
		t.Errorf("exposed more than 1.5: %v\n%s", err, out)
	}
}
