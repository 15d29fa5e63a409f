package exchange

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// verdict is one row while it is judged.
type verdict struct {
	row     schemas.Row
	check   schemas.Outcome
	author  *Author // an agency's own, verified; nil: the region vouches
	wanted  int     // index of its claim, -1 if the row is refused already
	outcome Row
	private RowPrivate
	id      EntryID
	sealed  *Authored
}

// judge decides on a run of rows and makes the decision durable.
func (in *intake) judge(ctx context.Context, rows []schemas.Row) error {
	verdicts := make([]verdict, len(rows))
	var wants []wanted
	var natural [][]byte
	for i, row := range rows {
		v := &verdicts[i]
		v.row, v.wanted = row, -1
		v.check = in.checker.Check(row)
		in.checkAuthor(v)
		if v.check.State != schemas.Accepted {
			continue
		}
		key := v.check.Key.Bytes()
		v.wanted = len(wants)
		natural = append(natural, key)
		wants = append(wants, wanted{
			key:        in.keyDigest(v),
			content:    in.Sealer.Secret.Digest("content", v.check.Content),
			comparison: v.check.Content,
		})
	}
	founds, claim, err := in.claim(ctx, wants, func(i int, withdrawn uint32) EntryID {
		return in.Sealer.Secret.EntryID(in.sub.Kind, natural[i], withdrawn)
	})
	if err != nil {
		return err
	}
	at, err := in.settle(ctx, verdicts, wants, founds, natural)
	if claim != nil {
		in.keys.land(claim, at)
	}
	return err
}

// keyDigest names the decision that a row speaks of.
func (in *intake) keyDigest(v *verdict) sm.Digest {
	return in.Sealer.Secret.Digest("key", []byte(in.sub.Kind), v.check.Key.Bytes())
}

// claim asks for the rows' keys; a dry run takes none and remembers its own.
func (in *intake) claim(ctx context.Context, wants []wanted, id func(int, uint32) EntryID) ([]found, *claim, error) {
	if len(wants) == 0 {
		return nil, nil, nil
	}
	if !in.sub.DryRun {
		return in.keys.claim(ctx, wants, id)
	}
	if in.dry == nil {
		in.dry = map[sm.Digest]found{}
	}
	keys := make([]sm.Digest, len(wants))
	for i := range wants {
		keys[i] = wants[i].key
	}
	standings, err := standingsOf(in.Casebook, keys, id)
	if err != nil {
		return nil, nil, err
	}
	out := make([]found, len(wants))
	for i, w := range wants {
		if f, ok := in.dry[w.key]; ok {
			out[i] = f
			continue
		}
		out[i] = found{Standing: standings[i]}
		if standings[i].ID.IsZero() {
			in.dry[w.key] = found{Standing: Standing{ID: id(i, 0), Content: w.content}, comparison: w.comparison}
		}
	}
	return out, nil, nil
}

// settle turns verdicts into rows, appends them, and adds them to the answer.
func (in *intake) settle(ctx context.Context, verdicts []verdict, wants []wanted, founds []found, natural [][]byte) (Position, error) {
	var slot uint64
	if !in.sub.DryRun {
		var err error
		if slot, err = in.Slots.Take(uint64(len(verdicts))); err != nil {
			return 0, err
		}
	}
	taken := RowsTaken{Submission: in.id, Rows: make([]Row, len(verdicts))}
	var shared []EntryID
	for i := range verdicts {
		v := &verdicts[i]
		v.outcome = Row{N: v.row.Number, Slot: slot + uint64(i)}
		var err error
		switch {
		case v.wanted < 0:
			if v.check.Key != (schemas.Key{}) {
				v.outcome.KeyDigest = in.keyDigest(v)
			}
			err = in.quarantine(v)
		case founds[v.wanted].ID.IsZero():
			err = in.accept(v, wants[v.wanted], in.Sealer.Secret.EntryID(in.sub.Kind, natural[v.wanted], founds[v.wanted].withdrawn))
			if err == nil && !v.sealed.Local {
				shared = append(shared, v.id)
			}
		default:
			err = in.repeat(v, wants[v.wanted], founds[v.wanted])
		}
		if err != nil {
			return 0, err
		}
		if taken.Rows[i], err = in.finish(v); err != nil {
			return 0, err
		}
	}
	if in.sub.DryRun {
		in.count(verdicts)
		return 0, nil
	}
	if in.sub.Wait != WaitNone && len(shared) > 0 {
		in.waits = append(in.waits, in.Commits.expect(shared))
	}
	in.count(verdicts)
	return in.write(ctx, &taken)
}

// accept authors the record: from here on its id, time and randomness stand.
func (in *intake) accept(v *verdict, w wanted, id EntryID) error {
	author := v.author
	if author == nil {
		author = &Author{Kind: AuthorRegion, Agency: in.principal.Submitter(), File: &in.file, Row: v.row.Number,
			FileSignature: in.sub.Signature, Key: in.signer}
	}
	block, err := author.Marshal()
	if err != nil {
		return err
	}
	record, err := v.check.Record.Encode()
	if err != nil {
		return err
	}
	var to []peers.Region
	if !v.check.Route.Local {
		to = []peers.Region{peers.Region(v.check.Route.Home)}
	}
	entry, key, err := in.Sealer.Seal(ClassRecord, in.sub.Kind, id, to, in.at, record, block)
	if err != nil {
		return err
	}
	entry.Local = v.check.Route.Local
	if v.check.Route.Remind {
		entry.Home = peers.Region(v.check.Route.Home)
	}
	v.private.Comparison, v.private.Key, v.private.Body = w.comparison, key[:], entry.Body
	entry.Body = nil
	v.id, v.sealed = id, &entry
	v.outcome.Outcome, v.outcome.Entry = RowAccepted, &entry
	v.outcome.KeyDigest, v.outcome.Content = w.key, w.content
	return nil
}

// quarantine keeps a bad row as it came. The same bad row sent again by the
// same agency is the same item.
func (in *intake) quarantine(v *verdict) error {
	raw, err := schemas.EncodeRow(v.row)
	if err != nil {
		return err
	}
	v.private.Raw = raw
	v.outcome.Outcome, v.outcome.Rule = RowQuarantined, string(v.check.Rule)
	v.outcome.Content = in.Sealer.Secret.Digest("quarantine", []byte(in.principal.Submitter()), []byte(in.sub.Kind), schemas.RowContent(v.row))
	v.outcome.Quarantine = "q-" + hex.EncodeToString(v.outcome.Content[:12])
	return nil
}

// finish fills what every row has and seals its private part.
func (in *intake) finish(v *verdict) (Row, error) {
	for _, f := range v.check.Findings {
		if f.Warning {
			v.outcome.Flags = append(v.outcome.Flags, string(f.Rule))
		}
	}
	for _, n := range v.check.Normalisations {
		v.outcome.Normalised = append(v.outcome.Normalised, string(n.Code))
	}
	v.private.Findings = v.check.Findings
	if in.sub.DryRun {
		return v.outcome, nil
	}
	var err error
	v.outcome.Private, err = SealRow(in.Vault, v.outcome.Slot, &v.private)
	return v.outcome, err
}

// count adds the rows to the answer.
func (in *intake) count(verdicts []verdict) {
	for i := range verdicts {
		v := &verdicts[i]
		view := RowView{
			Row: v.outcome.N, Outcome: v.outcome.Outcome, Rule: v.outcome.Rule, Quarantine: v.outcome.Quarantine,
			Normalised: v.outcome.Normalised, Flags: v.outcome.Flags,
		}
		in.view.Received++
		switch v.outcome.Outcome {
		case RowAccepted:
			in.view.Accepted++
			view.ID, view.State = &v.id, StateAccepted
			if v.sealed.Local {
				view.State = StateLocal
			}
			view.Home, view.Subject = peers.Region(v.check.Route.Home), v.check.Route.Subject
		case RowQuarantined:
			in.view.Quarantined++
		case RowDuplicate:
			in.view.Duplicate++
			view.ID = &v.outcome.Earlier
		}
		if v.outcome.Rule != "" {
			in.view.ByRule[v.outcome.Rule]++
		}
		if len(in.view.Records) < maxShown {
			in.view.Records = append(in.view.Records, view)
		}
		in.show(v.check.Findings)
	}
}

// show keeps findings for the answer. What refuses a row is never crowded out
// by what only warns.
func (in *intake) show(findings []schemas.Finding) {
	for _, f := range findings {
		switch {
		case !f.Warning && len(in.refusals) < maxShown:
			in.refusals = append(in.refusals, f)
		case f.Warning && len(in.warnings) < maxShown:
			in.warnings = append(in.warnings, f)
		}
	}
}

// shown are the findings of the answer, in row order.
func (in *intake) shown() []schemas.Finding {
	room := maxShown - len(in.refusals)
	out := append(in.refusals, in.warnings[:min(room, len(in.warnings))]...)
	slices.SortStableFunc(out, func(a, b schemas.Finding) int { return cmp.Compare(a.Row, b.Row) })
	return out
}

// maxWait bounds how long an answer is held back for the ledger; past it the
// answer says accepted, which is true, and the sender asks again.
const maxWait = 30 * time.Second

// awaitCommit holds the answer until all that goes to the ledger is there.
func (in *intake) awaitCommit(ctx context.Context) error {
	if len(in.waits) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	for _, w := range in.waits {
		defer in.Commits.forget(w)
	}
	for _, w := range in.waits {
		at, err := in.Commits.wait(ctx, w)
		if err == nil {
			err = in.Casebook.WaitFor(ctx, at)
		}
		if err != nil {
			return nil // accepted and durable, not yet committed: not an error
		}
	}
	reached := StateCommitted
	// All of them lie below the size that the ledger has now.
	if in.sub.Wait == WaitWitnessed && in.Checkpoints.Wait(ctx, in.Ledger.Head().Size) == nil {
		reached = StateWitnessed
	}
	for i := range in.view.Records {
		if r := &in.view.Records[i]; r.State == StateAccepted {
			r.State = reached
		}
	}
	return nil
}
