package receipt

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/ident"
)

// StatementFormat is the value of a statement's field of that name.
const StatementFormat = "xinqiao/statement/1"

// Statement shows what a region stated of one subject: exactly these live
// records, or none. docs/formats/statement.md.
type Statement struct {
	Body    []byte             `json:"body"` // of the anchor entry
	Format  string             `json:"format"`
	Path    Path               `json:"path,omitempty"`
	Receipt Receipt            `json:"receipt"` // of the anchor entry
	Records []exchange.EntryID `json:"records,omitempty"`
	Salt    sm.Digest          `json:"salt"`
	Subject string             `json:"subject"` // USCC
}

var stepStatement = step{"STATEMENT",
	schemas.Text{ZH: "该地区锚定的正是这一主体的这些记录", EN: "the region anchored exactly these records for this subject"},
	schemas.Text{ZH: "未证明该地区锚定的是这些记录", EN: "the region is not shown to have anchored these records"}}

// Statement makes the statement of a subject from its place in a map that was
// anchored.
func (b *Builder) Statement(uscc string, h exchange.Holding) (Statement, error) {
	r, err := b.Entry(h.Anchor)
	if err != nil {
		return Statement{}, err
	}
	r.Before = "" // the statement says how old it is, not when it came
	found, err := b.Ledger.Entries(h.Anchor, 1)
	if err != nil || len(found) == 0 {
		return Statement{}, errors.Join(err, exchange.ErrNotFound)
	}
	return Statement{
		Format: StatementFormat, Subject: uscc, Body: found[0].Body, Records: h.Records, Salt: h.Salt, Path: h.Path, Receipt: r,
	}, nil
}

// Marshal gives the statement's one spelling.
func (s Statement) Marshal() ([]byte, error) { return marshal(s) }

// ParseStatement reads a statement in its one spelling. It says nothing yet
// about whether it is true.
func ParseStatement(raw []byte) (Statement, error) {
	var s Statement
	err := parse(raw, MaxSize, &s)
	if err == nil && (s.Format != StatementFormat || s.Receipt.State() != Witnessed || ident.CheckUSCC(s.Subject) != nil) {
		err = errForm
	}
	return s, err
}

// IsStatement says whether a file claims to be a statement and not a receipt.
func IsStatement(raw []byte) bool {
	var file struct {
		Format string `json:"format"`
	}
	return len(raw) <= MaxSize && json.Unmarshal(raw, &file) == nil && file.Format == StatementFormat
}

// StatementVerdict is what a statement shows.
type StatementVerdict struct {
	Verdict // of the anchor's receipt
	Subject string
	Bound   uint64 // size of the ledger that the region had followed
	Records []exchange.EntryID
}

// VerifyStatement checks a statement file against a genesis, as Verify does a
// receipt.
func VerifyStatement(raw []byte, g *peers.Genesis) (StatementVerdict, error) {
	v := verification{genesis: g}
	out := StatementVerdict{}
	s, err := ParseStatement(raw)
	if v.did(stepForm, err) {
		v.State = Witnessed
		v.receipt(&s.Receipt)
	}
	if v.failure == nil {
		out.Subject, out.Records = s.Subject, s.Records
		out.Bound, err = v.stated(&s)
		v.did(stepStatement, err)
	}
	out.Verdict = v.Verdict
	if v.failure != nil {
		return out, v.failure
	}
	return out, nil
}

// stated checks the subject's place under the root that the anchor states.
func (v *verification) stated(s *Statement) (bound uint64, err error) {
	h := &v.Header
	if h.Class != exchange.ClassGovernance || h.Kind != peers.KindAnchor || sm.Sum(s.Body) != h.BodyDigest {
		return 0, errors.New("the entry is not the anchor of this body")
	}
	a, err := peers.ParseAnchor(s.Body)
	if err != nil {
		return 0, err
	}
	for i := 1; i < len(s.Records); i++ {
		if string(s.Records[i-1][:]) >= string(s.Records[i][:]) {
			return 0, fmt.Errorf("record %s is not in its place", s.Records[i])
		}
	}
	return a.Size, ledger.VerifySparse(ledger.SparseLeaf{
		Key:   exchange.SubjectKey(v.Ledger, h.Origin, s.Subject),
		Value: exchange.Holdings(s.Salt, s.Records),
	}, s.Path, a.Root)
}

// Proven lists what follows from the checks, for people.
func (v *StatementVerdict) Proven() []schemas.Text {
	h := &v.Header
	seenZH, seenEN := named(v.Witnesses)
	first := said("地区 %[1]s 在其读到共享账本第 %[3]d 条之前的内容时，对主体 %[2]s 只持有所列的 %[4]d 条记录",
		"region %[1]s, having followed the shared ledger up to entry %[3]d, held of subject %[2]s just the %[4]d records listed",
		h.Origin, v.Subject, v.Bound, len(v.Records))
	if len(v.Records) == 0 {
		first = said("地区 %[1]s 在其读到共享账本第 %[3]d 条之前的内容时，表示对主体 %[2]s 不持有任何记录",
			"region %[1]s, having followed the shared ledger up to entry %[3]d, stated that it held no record of subject %[2]s",
			h.Origin, v.Subject, v.Bound)
	}
	return []schemas.Text{first,
		said("该地区对这一时点不能再出示另一份不同的清单", "the region can show nobody another list for that point"),
		said("该表态在共享账本上的序号是 %[1]d，%[4]d 个地区中的 %[2]s 见过同一账本，%[5]s 前已见证",
			"the statement is entry %[1]d of the shared ledger, of %[4]d regions %[3]s saw the same one, witnessed by %[5]s",
			v.Index, seenZH, seenEN, v.Of, clock(v.By))}
}

// NotProven lists what somebody might take a statement for and must not.
func (v *StatementVerdict) NotProven() []schemas.Text {
	out := []schemas.Text{
		said("该地区知道一切：未报送到网关的、其他地区持有而未送达的，不在其中",
			"that the region knows all: what was never sent to its gateway, or is held elsewhere and was not sent there, is not in it"),
		said("此后没有新的记录：只说明到上述时点为止", "that nothing came later: it speaks of that point and before"),
		said("主体守法：这是网关所持记录的清单，不是无违法违规证明", "that the subject kept the law: it is a list of what a gateway held"),
	}
	if v.Doubtful {
		out = append(out, said("签名出自该地区本身：其密钥后来被撤销，本条目在存疑期间内",
			"that the region itself signed: its key was revoked later, and this entry lies in the time that is in doubt"))
	}
	return out
}
