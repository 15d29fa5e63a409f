//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/openssl"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// TestServeAndOpenSSL holds the gateway against the implementation that an
// agency, an auditor or a court has at hand: an agency signs its record with
// OpenSSL and the recipient takes it as the agency's own; it signs a file, and the
// recipient says that of the file and not of its rows; an auditor has
// OpenSSL verify the region's signature of the batch on the ledger.
func TestServeAndOpenSSL(t *testing.T) {
	t.Parallel()
	o := openssl.In(t)
	c := startCluster(t)
	origin, home := c.region("120000"), c.region("110000")
	app := newPhone(home)

	o.Run("genpkey", "-algorithm", "SM2", "-out", "key.pem")
	claim := c.claim(o, origin.region, tianjinAuthority)
	home.creditctl(nil, exitInvalid, "agency", "add", claim) // it is not claimed towards that region
	var key httpapi.KeyEntry
	origin.creditctl(&key, exitDone, "agency", "add", claim, "--wait", patience.String())
	notice := origin.notice(home.region)
	sig := o.Sign("key.pem", c.canonical(notice))
	id := origin.submit(exchange.WaitCommitted, signedRecord(notice, key.KeyID, sig))[0]
	app.await(id)
	v, err := home.client(exchange.RoleOperator).Record(home.context(), id)
	if err != nil || v.Author == nil || v.Author.Kind != exchange.AuthorAgency || !v.Author.Verified ||
		v.Author.Agency != tianjinAuthority || v.Author.KeyID == nil || *v.Author.KeyID != key.KeyID {
		t.Errorf("at the recipient the author is %+v: %v", v.Author, err)
	}

	// The same signature under another record is nobody's word.
	altered := origin.notice(home.region)
	body, err := recordsFile([]any{signedRecord(altered, key.KeyID, sig)})
	if err != nil {
		t.Fatal(err)
	}
	refused, err := origin.client(exchange.RoleAgencyEntry).Submit(origin.context(),
		httpapi.File{Body: bytes.NewReader(body), Media: httpapi.MediaJSON, Wait: exchange.WaitCommitted})
	if err != nil || refused.Quarantined != 1 || refused.ByRule[string(exchange.RuleAuthorSignature)] != 1 {
		t.Errorf("an altered record: %d quarantined by %v: %v", refused.Quarantined, refused.ByRule, err)
	}

	file := c.checkSignedFile(o, origin, home, key.KeyID)
	c.checkBatchByOpenSSL(o, origin, id)

	// The key was stolen: whoever can open what it has signed sees it listed.
	c.decide(peers.Change{Change: peers.ChangeKeyRevoke, Region: origin.region, Purpose: "agency", KeyID: key.KeyID[:]})
	c.agree()
	for _, n := range []*gateway{origin, home, c.region("140000")} {
		var want []exchange.EntryID
		if n != c.region("140000") {
			want = []exchange.EntryID{id, file}
		}
		if got := n.doubtfulByAgency(key.KeyID); !slices.Equal(got, want) {
			t.Errorf("%s lists %v, not %v", n.region, got, want)
		}
	}
}

// doubtfulByAgency are the entries that the node lists for an agency's key.
func (n *gateway) doubtfulByAgency(key sm.KeyID) (ids []exchange.EntryID) {
	n.t.Helper()
	page, err := n.client(exchange.RoleAuditor).Doubtful(n.context(), 0)
	if err != nil || page.Next != "" {
		n.t.Fatalf("next %q: %v", page.Next, err)
	}
	for _, e := range page.Items {
		if e.Purpose == "agency" && e.KeyID == key {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// checkSignedFile sends a file that OpenSSL has signed as a whole.
func (c *cluster) checkSignedFile(o openssl.Dir, origin, home *gateway, key sm.KeyID) exchange.EntryID {
	t := c.t
	t.Helper()
	body, err := recordsFile([]any{origin.notice(home.region)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.dir, "signed.json")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	message, err := exec.CommandContext(t.Context(), built(t, "creditctl"), "canonical", path, "--genesis", filepath.Join(c.dir, genesisName)).Output()
	if err != nil {
		t.Fatalf("creditctl canonical: %v", err)
	}
	file := httpapi.File{Body: bytes.NewReader(body), Media: httpapi.MediaJSON, Wait: exchange.WaitWitnessed, Signature: o.Sign("key.pem", message)}
	sent, err := origin.client(exchange.RoleAgencyEntry).Submit(origin.context(), file)
	if err != nil || sent.Accepted != 1 {
		t.Fatalf("a signed file: %+v, %v", sent, err)
	}
	id := *sent.Records[0].ID
	newPhone(home).await(id)
	v, err := home.client(exchange.RoleOperator).Record(home.context(), id)
	if err != nil || v.Author == nil || v.Author.Kind != exchange.AuthorRegion || v.Author.Verified || v.Author.FileSignature == nil ||
		*v.Author.FileSignature != (exchange.FileSignatureView{KeyID: key, Verified: true}) {
		t.Errorf("at the recipient the author is %+v: %v", v.Author, err)
	}
	receipt := filepath.Join(c.dir, "signed-receipt.json")
	home.creditctl(nil, exitDone, "receipt", id.String(), "-o", receipt, "--disclose")
	if v := c.verify(receipt); !v.Valid {
		t.Errorf("the receipt of a signed file's row: %+v", v)
	}
	return id
}

// checkBatchByOpenSSL goes from an entry, as a third region shows it, to the
// region's signature, with the public key of the genesis.
func (c *cluster) checkBatchByOpenSSL(o openssl.Dir, origin *gateway, id exchange.EntryID) {
	t := c.t
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(c.dir, genesisName))
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := peers.ParseGenesis(raw)
	if err != nil {
		t.Fatal(err)
	}
	member, _ := genesis.Member(origin.region)
	public, err := member.Batch.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	o.Write("batch.pem", public)
	for _, e := range c.region("140000").ledger(c.agree()) {
		if e.ID != id {
			continue
		}
		preamble, err := exchange.ParsePreamble(e.Preamble)
		if err != nil {
			t.Fatal(err)
		}
		if err := ledger.VerifyInclusion(uint64(e.Item), uint64(preamble.N), ledger.LeafHash(e.Header), e.Path, preamble.Root); err != nil {
			t.Errorf("the header is not in its batch: %v", err)
		}
		if !o.Verifies("batch.pem", sm.Message(sm.LabelBatch, genesis.LedgerID(), e.Preamble), e.Signature) {
			t.Error("OpenSSL does not verify the region's signature")
		}
		e.Preamble[len(e.Preamble)-1] ^= 1
		if o.Verifies("batch.pem", sm.Message(sm.LabelBatch, genesis.LedgerID(), e.Preamble), e.Signature) {
			t.Error("OpenSSL verifies an altered preamble")
		}
		return
	}
	t.Fatalf("%s is not on the ledger", id)
}

// signedRecord is a record as an agency that holds a key sends it.
func signedRecord(record map[string]string, key sm.KeyID, sig []byte) any {
	return map[string]any{"record": record, "author": map[string]any{"key_id": key, "sig": sig}}
}

// canonical is what creditctl has the agency sign of a record, offline.
func (c *cluster) canonical(record map[string]string) []byte {
	c.t.Helper()
	file, err := recordsFile([]any{record})
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.dir, "record.json")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		c.t.Fatal(err)
	}
	message, err := exec.CommandContext(c.t.Context(), built(c.t, "creditctl"),
		"canonical", path, "--row", "1", "--genesis", filepath.Join(c.dir, genesisName)).Output()
	if err != nil {
		c.t.Fatalf("creditctl canonical: %v", err)
	}
	return message
}

// claim is the file that creditctl makes for a key.pem that OpenSSL keeps.
func (c *cluster) claim(o openssl.Dir, region peers.Region, uscc string) string {
	c.t.Helper()
	o.Run("pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
	prove := func(more ...string) {
		c.t.Helper()
		args := append([]string{"agency", "prove", uscc, "pub.pem", "--region", string(region), "--name", "处罚机关",
			"--genesis", filepath.Join(c.dir, genesisName)}, more...)
		cmd := exec.CommandContext(c.t.Context(), built(c.t, "creditctl"), args...)
		cmd.Dir = o.Path
		if out, err := cmd.CombinedOutput(); err != nil {
			c.t.Fatalf("creditctl %v: %v\n%s", args, err, out)
		}
	}
	prove("--to-sign", "claimed")
	o.Sign("key.pem", o.Read("claimed"))
	prove("--signature", "sig", "-o", "claim.json")
	return filepath.Join(o.Path, "claim.json")
}
