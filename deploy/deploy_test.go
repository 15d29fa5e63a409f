// Package deploy_test checks the files that operators install as they are: they
// parse, they agree with one another and they keep the hardening that
// docs/runbook.md tells operators to rely on.
package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// The script of the trial runs as compose runs it, but for the owner.
func TestTheTrialIsFounded(t *testing.T) {
	bin, data := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin+"/", "../cmd/creditgw").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	passphrase := filepath.Join(bin, "passphrase")
	if err := os.WriteFile(passphrase, []byte("of the trial\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		found := exec.Command("bash", "compose/found.sh")
		found.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "DATA="+data,
			"CREDITGW_PASSPHRASE_FILE="+passphrase, fmt.Sprintf("OWNER=%d:%d", os.Getuid(), os.Getgid()))
		if out, err := found.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	founded, err := filepath.Glob(filepath.Join(data, "*", "genesis.json"))
	if err != nil || len(founded) != 4 {
		t.Errorf("%d regions have a genesis", len(founded))
	}
}

// The node finds the configuration that `creditgw init` writes into its
// directory, which is the one that backups hold.
func TestUnitReadsWhatInitWrites(t *testing.T) {
	service := directives(t, "systemd/creditgw.service", "Service")
	dir := "/var/lib/" + strings.Join(service["StateDirectory"], "")
	if start := strings.Join(service["ExecStart"], ""); !strings.HasSuffix(start, " serve --config "+dir+"/creditgw.yaml") {
		t.Errorf("it runs %s", start)
	}
}
