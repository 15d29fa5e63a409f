//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// verified is what creditctl verify says of a file, with no gateway to ask.
type verified struct {
	Valid  bool   `json:"valid"`
	State  string `json:"state"`
	Record *struct {
		Subject string `json:"subject_uscc"`
	} `json:"record"`
	Entry *struct {
		Index     *uint64  `json:"index"`
		Witnesses []string `json:"witnesses"`
		After     string   `json:"witnessed_after"`
		By        string   `json:"witnessed_by"`
	} `json:"entry"`
	Statement *struct {
		Region  string             `json:"region"`
		Records []exchange.EntryID `json:"records"`
	} `json:"statement"`
}

// verify runs the verifier alone: neither address nor token.
func (c *cluster) verify(file string) (v verified) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), built(c.t, "creditctl"), "verify", file, "--genesis", filepath.Join(c.dir, genesisName), "--json")
	cmd.Env = []string{"CREDITCTL_URL=http://127.0.0.1:1"}
	out, err := cmd.Output()
	if jsonErr := json.Unmarshal(out, &v); jsonErr != nil || (err == nil) != v.Valid {
		c.t.Fatalf("creditctl verify: %v, %v\n%s", err, jsonErr, out)
	}
	return v
}

// Four processes, one command line: a record gets a receipt, its firm a
// statement, and an auditor derives every region's ledger again.
func TestReceiptsStatementsAndAudit(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	tianjin, beijing := c.region("120000"), c.region("110000")
	sent := tianjin.submit(exchange.WaitWitnessed, tianjin.notice("110000"), tianjin.notice("110000"))
	home := tianjin.submit(exchange.WaitNone, tianjin.notice("120000"))[0]
	genesis := filepath.Join(c.dir, genesisName)
	file := filepath.Join(c.dir, "proof.json")
	eventually(t, "the recipient knows that they are witnessed", func() bool {
		v, err := beijing.client(exchange.RoleOperator).Record(beijing.context(), sent[1])
		return err == nil && v.State == exchange.StateWitnessed
	})

	t.Run("a receipt of origin and recipient", func(t *testing.T) {
		for _, n := range []*gateway{tianjin, beijing} {
			n.creditctl(nil, exitDone, "receipt", sent[1].String(), "-o", file)
			v := c.verify(file)
			if !v.Valid || v.State != "witnessed" || v.Record != nil || v.Entry.Index == nil || len(v.Entry.Witnesses) != 3 || v.Entry.By == "" {
				t.Errorf("%s: %+v", n.region, v)
			}
			if info, err := os.Stat(file); err != nil || info.Size() > 4<<10 {
				t.Errorf("%s: %v bytes, %v", n.region, info.Size(), err)
			}
		}
	})
	t.Run("with its content", func(t *testing.T) {
		beijing.creditctl(nil, exitDone, "receipt", sent[0].String(), "-o", file, "--disclose")
		if v := c.verify(file); !v.Valid || v.Record == nil || v.Record.Subject != firms["110000"].uscc {
			t.Errorf("%+v", v)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if v := c.verify(file); v.Valid {
			t.Errorf("%+v", v)
		}
	})
	t.Run("a home record has a ticket", func(t *testing.T) {
		tianjin.creditctl(nil, exitDone, "receipt", home.String(), "-o", file)
		if v := c.verify(file); !v.Valid || v.State != "ticket" {
			t.Errorf("%+v", v)
		}
	})
	t.Run("a statement of presence and one of absence", func(t *testing.T) {
		for uscc, want := range map[string][]exchange.EntryID{firms["110000"].uscc: sent, firms["130000"].uscc: nil} {
			beijing.creditctl(nil, exitDone, "statement", uscc, "-o", file, "--wait", patience.String())
			want := slices.Clone(want)
			exchange.SortEntries(want)
			v := c.verify(file)
			if !v.Valid || v.Statement == nil || v.Statement.Region != "110000" || !slices.Equal(v.Statement.Records, want) {
				t.Errorf("%s: %+v", uscc, v)
			}
			if info, err := os.Stat(file); err != nil || info.Size() > 3000 {
				t.Errorf("%s: %v bytes, %v", uscc, info.Size(), err)
			}
		}
	})
	t.Run("no file says of whom a statement was asked, nor who was bound", func(t *testing.T) {
		// Neither is in the register, which is public.
		const asked, bound, proof = "91110108MA7K2Q4T2B", "91110108MA5N8R1C9J", "法定代表人已在窗口出示授权书"
		beijing.creditctl(nil, exitDone, "statement", asked, "-o", filepath.Join(t.TempDir(), "asked.json"), "--wait", patience.String())
		app := beijing.client(exchange.RoleApp)
		if err := errors.Join(app.Bind(beijing.context(), bound, httpapi.Binding{Proof: proof}), app.Unbind(beijing.context(), bound)); err != nil {
			t.Fatal(err)
		}
		registered := firms["110000"].uscc
		if found := beijing.holding(map[string][]byte{registered: []byte(registered)}); len(found) == 0 {
			t.Fatal("the search does not even find the register")
		}
		for _, found := range beijing.holding(map[string][]byte{"asked": []byte(asked), "bound": []byte(bound), "proof": []byte(proof)}) {
			t.Error(found)
		}
	})
	t.Run("audit", func(t *testing.T) {
		for _, n := range c.nodes {
			for _, from := range []string{"0", "2"} {
				var report struct {
					Valid           bool
					Size, Witnessed uint64
					Verified        struct{ Batches, Checkpoints, Governance uint64 }
				}
				n.creditctl(&report, exitDone, "audit", "--genesis", genesis, "--from", from)
				if !report.Valid || report.Witnessed < 3 || report.Verified.Checkpoints == 0 {
					t.Errorf("%s from %s: %+v", n.region, from, report)
				}
			}
		}
	})
}
