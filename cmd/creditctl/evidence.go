package main

import (
	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/witness"
)

// evidenceLine is what a bundle of evidence that holds shows.
type evidenceLine struct {
	Kind   witness.Kind     `json:"kind"`
	Region peers.Region     `json:"region"` // whose node wrote it
	Size   uint64           `json:"size"`
	Guilty []witness.Guilty `json:"guilty"` // keys that signed something false
}

// showEvidence judges a bundle, by the members file if there is a name of one.
func (p *program) showEvidence(raw []byte, g *peers.Genesis, members string) error {
	var shown []byte
	if members != "" {
		var err error
		if shown, err = readBounded(members, peers.MaxChain+1); err != nil {
			return usageError(&message{Text: text{"读不到成员文件", "can't read the members file"}, Cause: err})
		}
	}
	j := witness.Judge(raw, g, shown, readMark)
	out := verdict{Valid: j.Holds, Checks: []checkLine{}, Proven: p.sentences(j.Proven), NotProven: p.sentences(j.NotProven)}
	for _, f := range j.Findings {
		line := checkLine{Check: f.Code, OK: f.Cause == nil, Text: f.Text.In(p.Lang.Code())}
		if f.Cause != nil {
			line.Cause = f.Cause.Error()
		}
		out.Checks = append(out.Checks, line)
	}
	if j.Holds {
		out.Evidence = &evidenceLine{Kind: j.Kind, Region: j.Region, Size: j.Size, Guilty: append([]witness.Guilty{}, j.Guilty...)}
	}
	return p.conclude(&out)
}

// readMark reads a mark of a bundle, by the keys that its node had.
func readMark(raw []byte, known peers.Known) (witness.Mark, error) {
	m, err := consensus.ParseMark(raw)
	if err != nil {
		return witness.Mark{}, err
	}
	read := witness.Mark{Term: m.Term, Size: m.Size, Root: m.Root, Signer: m.Signer, Raw: raw}
	return read, m.Verify(known.Ledger(), known.NodeKeysAt(m.Signer, m.Size)...)
}
