package main

import (
	"errors"

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

func (p *program) showEvidence(raw []byte, g *peers.Genesis) error {
	j := witness.Judge(raw, g, foundersMark(g))
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

// foundersMark reads the marks of a bundle, by the node keys of the genesis.
func foundersMark(g *peers.Genesis) func(raw []byte) (witness.Mark, error) {
	d, broken := peers.NewDirectory(g)
	return func(raw []byte) (witness.Mark, error) {
		m, err := consensus.ParseMark(raw)
		if err = errors.Join(broken, err); err != nil {
			return witness.Mark{}, err
		}
		read := witness.Mark{Term: m.Term, Size: m.Size, Root: m.Root, Signer: m.Signer, Raw: raw}
		return read, m.Verify(d.Ledger(), d.NodeKeys(m.Signer)...)
	}
}
