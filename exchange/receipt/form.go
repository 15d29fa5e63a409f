package receipt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Format is the value of a receipt's field of that name.
const Format = "xinqiao/receipt/1"

// MaxSize bounds a receipt before it is parsed: 4 KiB are usual, each change of
// the witnesses adds less than one, and a disclosed record has up to 64 KiB.
const MaxSize = 256 << 10

// Receipt is the content of a receipt file. Which parts are there decides what
// it is: see State. The fields are in the order of their JSON names, so that
// the one spelling is also the file's RFC 8785 form.
type Receipt struct {
	Batch      *Batch           `json:"batch,omitempty"`
	Before     string           `json:"before,omitempty"`     // the newest kept checkpoint that lacks the entry
	Checkpoint string           `json:"checkpoint,omitempty"` // the earliest kept one that has it
	Disclosed  *Disclosed       `json:"disclosed,omitempty"`
	Entry      []byte           `json:"entry"` // exact header bytes
	Format     string           `json:"format"`
	Handovers  []peers.Handover `json:"handovers,omitempty"` // of the witnesses, before Checkpoint
	Key        *Key             `json:"key,omitempty"`       // absent: the batch key is the genesis's
	Leaf       *Leaf            `json:"leaf,omitempty"`
	Ticket     []byte           `json:"ticket,omitempty"` // the region's signature over Entry
}

// Batch shows that the origin signed the entry.
type Batch struct {
	Item      int    `json:"item"`
	Path      Path   `json:"path,omitempty"`
	Preamble  []byte `json:"preamble"`
	Signature []byte `json:"signature"`
}

// Leaf shows where the entry stands under the root of Checkpoint.
type Leaf struct {
	Index uint64 `json:"index"`
	Path  Path   `json:"path,omitempty"`
}

// Disclosed is the content of the entry's body, and for a record that an agency
// signed the proof of its key. A key that opens bodies is never part of it.
type Disclosed struct {
	Agency *AgencyKey    `json:"agency,omitempty"`
	Author []byte        `json:"author"`
	Record []byte        `json:"record"`
	Salt   envelope.Salt `json:"salt"`
}

// Path is a Merkle proof: base64 of the concatenated hashes, lowest first.
type Path []sm.Digest

// MarshalText writes the hashes as one text.
func (p Path) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, len(p)*sm.DigestSize)
	for i := range p {
		raw = append(raw, p[i][:]...)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText reads what MarshalText writes.
func (p *Path) UnmarshalText(text []byte) error {
	if len(text) > base64.StdEncoding.EncodedLen(ledger.MaxProof*sm.DigestSize) {
		return errForm
	}
	raw, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err != nil || len(raw)%sm.DigestSize != 0 {
		return errForm
	}
	*p = make(Path, len(raw)/sm.DigestSize)
	for i := range *p {
		copy((*p)[i][:], raw[i*sm.DigestSize:])
	}
	return nil
}

// errForm is deliberately one: a file that is not a receipt is not improved by
// knowing where its JSON went wrong, and its bytes may come from anywhere.
var errForm = errors.New("the file is not a receipt in its one spelling")

// Parse reads a receipt in its one spelling: what Marshal would write, to the
// byte. It says nothing yet about whether it is true.
func Parse(raw []byte) (Receipt, error) {
	var r Receipt
	return r, parse(raw, MaxSize, &r)
}

// parse decodes raw and demands that encoding it again gives the same bytes.
// That refuses unknown, repeated and reordered fields, white space, needless
// escapes and loose base64 in one comparison.
func parse(raw []byte, limit int, into any) error {
	if len(raw) > limit {
		return errForm
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errForm
	}
	again, err := marshal(into)
	if err != nil || !bytes.Equal(again, raw) {
		return errForm
	}
	return nil
}

// Marshal gives the receipt's one spelling.
func (r Receipt) Marshal() ([]byte, error) { return marshal(r) }

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // as RFC 8785
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// State says what a receipt is of.
type State string

const (
	// Witnessed: on the shared ledger, under a checkpoint of k regions.
	Witnessed State = "witnessed"
	// Provisional: signed by the origin; that it is on the ledger is this
	// gateway's word only.
	Provisional State = "provisional"
	// Ticket: the region's word that it took the record in. All there is for
	// home records, and for others as long as they are not on the ledger.
	Ticket State = "ticket"
)

// State sorts a receipt by its parts; "" when they fit no form.
func (r *Receipt) State() State {
	anchored := r.Checkpoint != ""
	switch {
	case r.Format != Format:
		return ""
	case r.Ticket != nil:
		if r.Batch != nil || r.Before != "" || r.Leaf != nil || anchored != (r.Key != nil) || !anchored && r.Handovers != nil {
			return ""
		}
		return Ticket
	case r.Batch == nil:
		return ""
	case r.Leaf != nil && anchored:
		return Witnessed
	case r.Leaf == nil && !anchored && r.Before == "" && r.Key == nil && r.Handovers == nil:
		return Provisional
	}
	return ""
}
