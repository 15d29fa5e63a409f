package httpapi_test

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// witnessedAt is a checkpoint of a size that three regions have cosigned; no
// signature is looked at here.
func witnessedAt(size uint64) peers.Checkpoint {
	c := peers.Checkpoint{Ledger: sm.Sum([]byte("ledger")), Size: size, Root: sm.Sum([]byte("root")), Directory: sm.Sum([]byte("directory"))}
	for _, r := range []peers.Region{"110000", "120000", "130000"} {
		c = c.With(peers.Cosignature{Region: r, Time: received.Unix(), Signature: []byte("signature")})
	}
	return c
}

func checkpointOf(t *testing.T, w *httptest.ResponseRecorder) (c httpapi.Checkpoint) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Until a checkpoint is witnessed there is the node's own word only; then there
// is one that anybody can verify, as text.
func TestTheWitnessedCheckpoint(t *testing.T) {
	n := newNode(t)
	n.checkpoints.kept = nil
	if c := checkpointOf(t, n.get("window", "/v1/ledger/checkpoint")); c.Size != 5 || c.Witnessed != nil {
		t.Errorf("before anything is witnessed: %+v", c)
	}
	refused(t, n.get("window", "/v1/ledger/checkpoint?format=text"), 404, "NOT_WITNESSED")

	n.checkpoints.kept = []peers.Checkpoint{witnessedAt(4)}
	c := checkpointOf(t, n.get("window", "/v1/ledger/checkpoint"))
	if c.Size != 5 || c.Witnessed == nil || c.Witnessed.Size != 4 || len(c.Witnessed.Regions) != 3 {
		t.Fatalf("%+v", c)
	}
	text := n.get("window", "/v1/ledger/checkpoint?size=3&format=text")
	parsed, err := peers.ParseCheckpoint(text.Body.Bytes())
	if err != nil || !parsed.Same(witnessedAt(4)) || text.Body.String() != c.Witnessed.Text {
		t.Errorf("%q: %v", text.Body, err)
	}
	refused(t, n.get("window", "/v1/ledger/checkpoint?size=5&format=text"), 404, "NOT_WITNESSED")
}

// A node whose ledger is not the one that the regions have witnessed answers
// nobody, and still says why.
func TestAStoppedNodeSaysWhyAndNothingElse(t *testing.T) {
	n := newNode(t)
	n.stopped = exchange.Fail(exchange.KindUnavailable, "FORKED", "账本分叉", "the ledger has forked")
	n.ready = []string{"FORKED"}
	for role, target := range map[exchange.Role]string{
		"operator": "/v1/records", "window": "/v1/ledger/checkpoint", "app": "/v1/reminders", "auditor": "/v1/ledger/entries",
	} {
		refused(t, n.get(role, target), http.StatusServiceUnavailable, "FORKED")
	}
	if w := n.get("operator", "/v1/status"); w.Code != http.StatusOK {
		t.Errorf("status: %d", w.Code)
	}
	if w := n.get("", "/metrics"); w.Code != http.StatusOK {
		t.Errorf("metrics: %d", w.Code)
	}
	if w := n.get("", "/readyz"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", w.Code)
	}
}

// What a member has signed is on the ledger for good; an auditor gets past it.
func TestATimeThatNobodyCanMeanSpoilsNoPage(t *testing.T) {
	n := newNode(t)
	n.ledger.entries[2].Header.IssuedAt = math.MaxInt64
	late := witnessedAt(5)
	for i := range late.Cosignatures {
		late.Cosignatures[i].Time = 253402300799 // the most that a line may say
	}
	n.checkpoints.kept = []peers.Checkpoint{late}
	for _, target := range []string{"/v1/ledger/entries", "/v1/ledger/checkpoint"} {
		if w := n.get("auditor", target); !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s answers %d with %q", target, w.Code, w.Body)
		}
	}
}
