package httpapi

import (
	"net/http"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// Checks reads and hashes again what the running node holds.
type Checks interface {
	// Start begins a check, unless one is under way, and returns at once.
	Start() Check
	// Latest is the check under way, or the last one; its state is "" when
	// there has been none.
	Latest() Check
}

// Check is one reading of everything that the node holds.
type Check struct {
	State    CheckState  `json:"state,omitempty"`
	Started  time.Time   `json:"started,omitzero"`
	Finished time.Time   `json:"finished,omitzero"`
	Parts    []CheckPart `json:"parts,omitempty"` // those that are done
	// Reason says why a check could not be made.
	Reason string `json:"reason,omitempty"`
}

// CheckState is how far a check has come, and how it ended.
type CheckState string

const (
	CheckRunning CheckState = "running"
	CheckSound   CheckState = "sound"
	CheckDamaged CheckState = "damaged"
	CheckFailed  CheckState = "failed" // it could not be made
)

// CheckPart is what was found in one part: the ledger, the journal, the vault.
type CheckPart struct {
	Part    string   `json:"part"`
	Entries uint64   `json:"entries"`
	Erased  uint64   `json:"erased,omitempty"`
	Damage  []string `json:"damage,omitempty"`
}

// startCheck answers before the check has ended: it takes as long as the disk.
func (a *API) startCheck(w http.ResponseWriter, _ *http.Request, _ exchange.Principal) error {
	return reply(w, http.StatusAccepted, a.Checks.Start())
}

func (a *API) latestCheck(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	c := a.Checks.Latest()
	if c.State == "" {
		return exchange.Fail(exchange.KindNotFound, "NO_CHECK", "本节点启动以来没有做过检查", "no check has been made since this node started")
	}
	return reply(w, http.StatusOK, c)
}
