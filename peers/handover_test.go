package peers

import (
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// succession is a ledger whose witnesses change, with what each change leaves
// behind for strangers.
type succession struct {
	t         *testing.T
	ledger    sm.Digest
	founders  WitnessSet
	now       WitnessSet
	handovers []Handover
}

func newSuccession(t *testing.T) (*succession, []founder) {
	founders := fourFounders(t)
	set := witnessesOf(founders)
	return &succession{t: t, ledger: sm.Sum([]byte("ledger")), founders: set, now: set}, founders
}

// at is a checkpoint of a size, when these are the witnesses.
func (s *succession) at(size uint64, set WitnessSet) (Checkpoint, sm.Digest) {
	records := sm.Sum([]byte("records"), []byte{byte(size)})
	return Checkpoint{
		Ledger: s.ledger, Size: size, Root: sm.Sum([]byte{byte(size)}), Directory: DirectoryRoot(set.Digest(), records),
	}, records
}

// to changes the set before a size, cosigned there by some of those before.
func (s *succession) to(size uint64, next WitnessSet, by ...founder) Handover {
	s.t.Helper()
	slices.SortFunc(next.Keys, compareWitnesses)
	c, records := s.at(size, next)
	o, err := NewHandover(s.now, next, records, cosigned(s.t, c, by...))
	if err != nil {
		s.t.Fatal(err)
	}
	s.handovers, s.now = append(s.handovers, o), next
	return o
}

func (s *succession) follow() (History, error) {
	return FollowHandovers(s.ledger, s.founders, s.handovers)
}

// text is a checkpoint as a receipt carries it.
func (s *succession) text(size uint64, by ...founder) string {
	c, _ := s.at(size, s.now)
	return string(cosigned(s.t, c, by...).Marshal())
}

// rotated is the founder with another witness key.
func rotated(f founder, seed string) founder {
	f.witness = must(sm.Generate[sm.Witness](seeded(seed)))
	f.Witness = f.witness.Public()
	return f
}

// Three regions rotate their keys and the fourth leaves; each checkpoint is
// judged by those who were there.
func TestWitnessesChangeHands(t *testing.T) {
	s, all := newSuccession(t)
	beijing, tianjin, hebei, shanxi := all[0], all[1], all[2], all[3]
	first := s.text(5, beijing, tianjin, hebei)

	for i, f := range all[:3] {
		next := slices.Clone(all)
		next[i] = rotated(f, "second "+string(f.Region))
		by := slices.DeleteFunc(slices.Clone(all), func(o founder) bool { return o.Region == f.Region })
		s.to(uint64(10*(i+1)), witnessesOf(next), by...)
		all = next
	}
	s.to(40, witnessesOf(all[:3]), all[0], all[1], shanxi)

	h, err := s.follow()
	if err != nil {
		t.Fatal(err)
	}
	if h.Size() != 40 || len(h.At(41).Keys) != 3 {
		t.Errorf("at the end %+v", h.At(41))
	}
	last := s.text(50, all[:3]...)
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"before all changes, by the founders":  {first, true},
		"behind them, by those who are left":   {last, true},
		"behind them, by two of three":         {s.text(50, all[0], all[1]), false},
		"behind them, by the old keys":         {s.text(50, beijing, tianjin, hebei), false},
		"behind them, with the one who left":   {s.text(50, all[0], all[1], shanxi), false},
		"before all changes, by the new keys":  {s.text(5, all[:3]...), false},
		"with a line more than is needed":      {s.text(50, all[0], all[1], all[2], shanxi), false},
		"between the first and the second one": {s.text(15, all[0], hebei, shanxi), true},
	} {
		if _, _, err := h.Judge(c.text); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHandoversThatShowNothing(t *testing.T) {
	_, all := newSuccession(t)
	next := []founder{rotated(all[0], "second"), all[1], all[2], all[3]}
	for name, spoil := range map[string]func(*succession, *Handover){
		"signed by those after the change": func(s *succession, o *Handover) {
			c, _ := s.at(10, witnessesOf(next))
			o.Checkpoint = string(cosigned(t, c, next[0], next[1], next[2]).Marshal())
		},
		"signed by two": func(s *succession, o *Handover) {
			c, _ := s.at(10, witnessesOf(next))
			o.Checkpoint = string(cosigned(t, c, all[1], all[2]).Marshal())
		},
		"a smaller quorum":         func(_ *succession, o *Handover) { o.K = 2 },
		"another key is added":     func(_ *succession, o *Handover) { o.Added[0].Key = rotated(all[0], "third").Witness },
		"for another region":       func(_ *succession, o *Handover) { o.Added[0].Region = "150000" },
		"no key is added":          func(_ *succession, o *Handover) { o.Added[0].Key = nil },
		"the old key is kept":      func(_ *succession, o *Handover) { o.Removed = nil },
		"a stranger's key is gone": func(_ *succession, o *Handover) { o.Removed[0][0] ^= 1 },
		"other records":            func(_ *succession, o *Handover) { o.Records[0] ^= 1 },
		"nothing changes":          func(_ *succession, o *Handover) { o.Added, o.Removed = nil, nil },
	} {
		s, _ := newSuccession(t)
		s.to(10, witnessesOf(next), all[1], all[2], all[3])
		spoil(s, &s.handovers[0])
		if _, err := s.follow(); err == nil {
			t.Errorf("%s: followed", name)
		}
	}
	s, _ := newSuccession(t)
	s.to(20, witnessesOf(next), all[1], all[2], all[3])
	s.to(10, witnessesOf([]founder{next[0], rotated(all[1], "second"), all[2], all[3]}), all[1], all[2], all[3])
	if _, err := s.follow(); err == nil {
		t.Error("followed to a smaller size")
	}

	// Those who have handed over sign once more, for a size at which they still
	// could: it would put them back.
	s, _ = newSuccession(t)
	s.to(10, witnessesOf(next), all[1], all[2], all[3])
	s.to(9, witnessesOf(all), all[1], all[2], all[3])
	if _, err := s.follow(); err == nil {
		t.Error("followed backwards")
	}
}
