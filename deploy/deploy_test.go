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

	"go.yaml.in/yaml/v3"
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
	for _, unit := range []string{"systemd/creditgw.service", "systemd/creditgw-backup.service"} {
		// The threshold counts tenths; 10.0 is a service without any hardening.
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=15", unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s is exposed more than 1.5: %v\n%s", unit, err, out)
		}
	}
}

// The nightly backup reads the directory of the service, as its user, and says
// nothing of the passphrase in the process list.
func TestBackupUnitIsOfTheService(t *testing.T) {
	service, backup := directives(t, "systemd/creditgw.service", "Service"), directives(t, "systemd/creditgw-backup.service", "Service")
	for _, same := range []string{"User", "Group", "UMask", "LimitCORE", "LoadCredential"} {
		if !slices.Equal(service[same], backup[same]) {
			t.Errorf("%s=%q, of the service %q", same, backup[same], service[same])
		}
	}
	start := strings.Join(backup["ExecStart"], " ")
	if !strings.Contains(start, "backup --dir /var/lib/"+service["StateDirectory"][0]+" ") || strings.Contains(start, "passphrase") {
		t.Errorf("it runs %s", start)
	}
	if every := directives(t, "systemd/creditgw-backup.timer", "Timer")["OnCalendar"]; len(every) != 1 {
		t.Errorf("it runs at %q", every)
	}
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func TestComposeRunsFourRegions(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			DependsOn map[string]struct{ Condition string } `yaml:"depends_on"`
			Ports     []string
			Volumes   []string
			ReadOnly  bool `yaml:"read_only"`
		}
	}
	readYAML(t, "compose/compose.yaml", &compose)
	script, err := os.ReadFile("compose/found.sh")
	if err != nil {
		t.Fatal(err)
	}
	founding, ok := compose.Services["founding"]
	if !ok {
		t.Fatal("nobody founds the ledger")
	}
	delete(compose.Services, "founding")
	if len(compose.Services) != 4 {
		t.Fatalf("%d regions, want 4", len(compose.Services))
	}
	taken := make(map[string]string)
	for name, node := range compose.Services {
		if node.DependsOn["founding"].Condition != "service_completed_successfully" {
			t.Errorf("%s starts before the ledger is founded", name)
		}
		if !node.ReadOnly {
			t.Errorf("%s may write outside its volume", name)
		}
		for _, used := range append(slices.Clone(node.Ports), node.Volumes...) {
			if other, ok := taken[used]; ok {
				t.Errorf("%s and %s share %s", name, other, used)
			}
			taken[used] = name
		}
		founded := slices.ContainsFunc(founding.Volumes, func(v string) bool {
			return strings.HasPrefix(v, name+":/data/")
		})
		if !founded || !strings.Contains(string(script), name) {
			t.Errorf("%s is not among the founders", name)
		}
	}
}

// An API without TLS must not be reachable from elsewhere as delivered.
func TestSampleConfigStaysOnLoopback(t *testing.T) {
	var config struct {
		Dir  string
		HTTP struct {
			Listen string
			Cert   string `yaml:"cert_file"`
		}
	}
	readYAML(t, "config/creditgw.yaml", &config)
	if config.HTTP.Cert == "" && !strings.HasPrefix(config.HTTP.Listen, "127.0.0.1:") {
		t.Errorf("the API listens on %s without a certificate", config.HTTP.Listen)
	}
	if state := directives(t, "systemd/creditgw.service", "Service")["StateDirectory"]; len(state) != 1 ||
		config.Dir != "/var/lib/"+state[0] {
		t.Errorf("dir is %s, the unit may write to %q", config.Dir, state)
	}
}
