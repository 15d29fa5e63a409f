package casebook

import (
	"errors"
	"runtime"
	"sync"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Codes of parked entries. All but NOT_OURS and ERASED are told to the origin.
const (
	CodeCannotOpen    = "CANNOT_OPEN"    // no key in the wraps, or the body does not decrypt
	CodeBadCommitment = "BAD_COMMITMENT" // the body is not what the header commits to
	CodeUnknownKind   = "UNKNOWN_KIND"   // this binary's catalogue does not have it
	CodeBadAuthor     = "BAD_AUTHOR"     // malformed block, key not in force, wrong signature
	CodeBadRecord     = "BAD_RECORD"     // not a valid record of its kind
	CodeDuplicateID   = "DUPLICATE_ID"   // an entry with this id came before
	CodeNotOurs       = "NOT_OURS"       // signed for this region, unknown to its journal
	CodeErased        = "ERASED"         // the body was erased before it was ever opened here
	CodeNotEntitled   = "NOT_ENTITLED"   // an order to erase another region's record, or no record
)

// arrival is one entry of another region on its way in. judge fills what lies
// below the slot; nothing there depends on what the casebook knows already.
type arrival struct {
	*exchange.Entry
	slot uint64

	known   bool // it was judged before, and is erased since
	key     sm.ContentKey
	code    string    // why it is parked, "" when accepted
	sealed  []byte    // the key under the slot
	subject []byte    // of a record whose firm is to be reminded
	place   sm.Digest // its subject key
	acks    *exchange.Acknowledgement
	order   *exchange.Order
	report  *exchange.Report
}

// judge opens and checks arrivals. The SM2 operation is made once for each
// batch; the rest, record by record, on all cores.
func (c *Casebook) judge(arrivals []arrival) error {
	c.unwrap(arrivals)
	directory := c.cfg.Ledger.Directory()
	return parallel(len(arrivals), func(i int) error {
		a := &arrivals[i]
		if a.code == "" && !a.known {
			a.code = c.check(a, directory)
		}
		if a.key == (sm.ContentKey{}) {
			return nil
		}
		// Kept for a parked entry too, so that a clerk can look at it later.
		var err error
		a.sealed, err = c.cfg.Vault.Seal(a.slot, exchange.PurposeRecord, 0, a.key[:])
		if erased(err) {
			a.sealed, err = nil, nil
		}
		return err
	})
}

// unwrap takes each arrival's content key out of its batch's wraps.
func (c *Casebook) unwrap(arrivals []arrival) {
	var batch *exchange.BatchInfo
	var unlocked *envelope.Unlocked
	for i := range arrivals {
		a := &arrivals[i]
		if k, ok := c.ahead.shared[a.Index]; ok {
			a.known, a.code, a.subject = true, k.Code, k.Subject
			continue
		}
		if !known(c.cfg.Catalogue, a.Header.Kind) {
			a.code = CodeUnknownKind
			continue
		}
		if a.Body == nil {
			a.code = CodeErased
			continue
		}
		if batch == nil || batch.First != a.Batch.First {
			batch, unlocked = a.Batch, c.unlock(a.Batch)
		}
		if unlocked == nil {
			a.code = CodeCannotOpen
			continue
		}
		var err error
		if a.key, err = unlocked.Key(a.Item(), a.Header.ID); err != nil {
			a.code = CodeCannotOpen
		}
	}
}

// unlock makes the one SM2 decryption of a batch, more of them only after a
// rotation; nil when all fail.
func (c *Casebook) unlock(b *exchange.BatchInfo) *envelope.Unlocked {
	wraps, err := envelope.ParseWraps(b.Wraps)
	if err != nil {
		return nil
	}
	p := &b.Preamble
	for _, key := range c.cfg.Decryptions() {
		u, err := wraps.Unlock(key, c.cfg.LedgerID, string(p.Origin), p.Seq, string(c.cfg.Region))
		if err == nil {
			return u
		}
	}
	return nil
}

func known(c *schemas.Catalogue, kind string) bool {
	_, ok := c.Kind(kind)
	switch kind {
	case exchange.KindAcknowledgement, exchange.KindErasure, exchange.KindStopped, exchange.KindErasureStatement:
		return true
	}
	return ok
}

// check opens an arrival and says why it can't be accepted, or "". The body's
// digest was compared by Apply and is again by every read of the ledger.
func (c *Casebook) check(a *arrival, directory *peers.Directory) string {
	if a.Header.Commitment == nil {
		return CodeCannotOpen
	}
	opened, err := envelope.Open(a.key, c.cfg.LedgerID, a.Body, *a.Header.Commitment)
	switch {
	case errors.Is(err, envelope.ErrCommitment):
		return CodeBadCommitment
	case err != nil:
		return CodeCannotOpen
	}
	author, err := exchange.ParseAuthor(opened.Author)
	if err != nil || !c.vouched(&a.Header, a.Index, &author, opened.Record, directory) {
		return CodeBadAuthor
	}
	switch a.Header.Kind {
	case exchange.KindAcknowledgement:
		acks, err := exchange.ParseAcknowledgement(opened.Record)
		if err != nil || a.Header.Class != exchange.ClassStatement {
			return CodeBadRecord
		}
		a.acks = &acks
	case exchange.KindStopped, exchange.KindErasureStatement:
		report, err := exchange.ParseReport(a.Header.Kind, opened.Record)
		if err != nil || a.Header.Class != exchange.ClassStatement {
			return CodeBadRecord
		}
		a.report = &report
	case exchange.KindErasure:
		return c.checkOrder(a, opened.Record)
	default:
		return c.checkRecord(a, opened.Record)
	}
	return ""
}

func (c *Casebook) checkRecord(a *arrival, record []byte) string {
	kind, _ := c.cfg.Catalogue.Kind(a.Header.Kind) // unwrap has looked
	if a.Header.Class != exchange.ClassRecord || kind.Validate(record) != nil {
		return CodeBadRecord
	}
	if a.Header.Kind == exchange.KindPenalty {
		penalty, err := schemas.DecodePenalty(record)
		if err != nil {
			return CodeBadRecord
		}
		a.subject, a.place = c.subjectOf(penalty.SubjectUSCC), c.placeOf(penalty.SubjectUSCC)
	}
	return ""
}

// vouched reports whether the author stands for what the block says of it. A
// region does by its batch signature, which Apply has verified; an agency that has
// signed the record, or the file that its region took it from, by its own, judged
// by the directory as of the entry's index. That a record is its row of a file no
// recipient can judge.
func (c *Casebook) vouched(h *exchange.Header, index uint64, a *exchange.Author, record []byte, directory *peers.Directory) bool {
	if a.Key == nil {
		return true
	}
	key, ok := directory.AgencyKeyAt(h.Origin, a.Agency, *a.Key, index)
	return ok && a.Verify(c.cfg.LedgerID, key.Public, record) == nil
}

// parallel runs do(0) … do(n-1) on all cores and returns one of the errors.
func parallel(n int, do func(int) error) error {
	workers := min(runtime.GOMAXPROCS(0), n/16+1)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = do(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
