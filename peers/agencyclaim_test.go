package peers

import (
	"bytes"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Whoever knows an agency's public key and all that it has signed, the claim on
// the ledger included, still can't have the key registered as another's word.
func TestNobodyRegistersAnothersKey(t *testing.T) {
	d, key := newDirectory(t), agencyKey("police 1")
	honest := claim(d, "120000", police, "卡一", key)
	d = register(t, d, 10, "120000", police, key)

	with := func(change func(*AgencyClaim)) []byte {
		c := honest
		change(&c)
		return must(c.Encode())
	}
	elsewhere := newDirectory(t)
	elsewhere.ledger = sm.Sum([]byte("another ledger"))
	liar := must(sm.Generate[sm.Agency](seeded("liar")))
	as := func(label sm.Label, msg []byte) func(*AgencyClaim) {
		return func(c *AgencyClaim) { c.Proof = must(key.Sign(label, d.Ledger(), msg)) }
	}
	statement := must(AgencyClaim{Region: "110000", USCC: police, Name: "某机关", Label: "卡一", Key: key.Public()}.Statement())
	for name, body := range map[string][]byte{
		"its entry again, of another origin": must(honest.Encode()),
		"for another agency":                 with(func(c *AgencyClaim) { c.USCC = transport }),
		"under another name":                 with(func(c *AgencyClaim) { c.Name = "某机关二" }),
		"under another label":                with(func(c *AgencyClaim) { c.Label = "卡二" }),
		"of another ledger":                  must(claim(elsewhere, "110000", police, "卡一", key).Encode()),
		"signed by another key": with(func(c *AgencyClaim) {
			c.Proof = must(liar.Sign(sm.LabelAgencyKey, d.Ledger(), statement))
		}),
		"signed as a record":  with(as(sm.LabelAuthor, statement)),
		"signed as a file":    with(as(sm.LabelFile, statement)),
		"signed as a change":  with(as(sm.LabelMember, statement)),
		"a proof of nothing":  with(as(sm.LabelAgencyKey, nil)),
		"no signature at all": with(func(c *AgencyClaim) { c.Proof = []byte{0x30} }),
	} {
		_, err := d.With(20, "110000", KindAgencyKey, body)
		t.Run(name, func(t *testing.T) { wantCode(t, err, CodeProof) })
	}
	// Its holder can, and then it is the agency's word in both regions.
	register(t, d, 20, "110000", police, key)
}

// What a claim's file says is what goes onto the ledger, and has one spelling.
func FuzzAgencyClaim(f *testing.F) {
	d := newDirectory(f)
	good := must(claim(d, "120000", police, "卡一", agencyKey("police 1")).MarshalFile())
	f.Add(good)
	f.Add(bytes.Replace(good, []byte(`"label"`), []byte(`"Label"`), 1))
	f.Add([]byte(`{"version":1,"region":"120000","uscc":"11120000000125671D","name":"某机关","key":null,"proof":"MA=="}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := ParseAgencyClaim(file)
		if err != nil {
			return
		}
		again := must(ParseAgencyClaim(must(c.MarshalFile())))
		if !bytes.Equal(must(again.Encode()), must(c.Encode())) || !bytes.Equal(must(again.Statement()), must(c.Statement())) {
			t.Fatalf("read %+v, again %+v", c, again)
		}
		if _, err := d.With(1, c.Region, KindAgencyKey, must(c.Encode())); err == nil && !c.Proven(d.Ledger()) {
			t.Fatal("registered without a proof")
		}
	})
}
