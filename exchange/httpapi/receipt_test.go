package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// The receipt is public, what it may disclose is not.
func TestWhoMayHaveWhatOfAReceipt(t *testing.T) {
	n := newNode(t)
	target := "/v1/records/" + recordID.String() + "/receipt"
	for role, want := range map[exchange.Role][2]int{
		"agency-entry": {http.StatusOK, http.StatusOK}, "operator": {http.StatusOK, http.StatusOK},
		"auditor": {http.StatusOK, http.StatusForbidden}, "app": {http.StatusOK, http.StatusForbidden},
		"": {http.StatusUnauthorized, http.StatusUnauthorized},
	} {
		if got := n.get(role, target).Code; got != want[0] {
			t.Errorf("%q: receipt %d, want %d", role, got, want[0])
		}
		if got := n.get(role, target+"?disclose=true").Code; got != want[1] {
			t.Errorf("%q: content %d, want %d", role, got, want[1])
		}
	}
}

func TestReceiptOfErasedContentIsGone(t *testing.T) {
	n := newNode(t, func(c *httpapi.Config) { c.Receipts = receipts{exchange.ErrErased} })
	if got := n.get("operator", "/v1/records/"+recordID.String()+"/receipt?disclose=true").Code; got != http.StatusGone {
		t.Errorf("status %d", got)
	}
}

// Until something is witnessed, nothing can be shown of the members.
func TestAMembersFileNeedsACheckpoint(t *testing.T) {
	n := newNode(t, func(c *httpapi.Config) { c.Receipts = receipts{exchange.ErrNotFound} })
	if got := n.get("auditor", "/v1/members/proof"); got.Code != http.StatusNotFound || !strings.Contains(got.Body.String(), "NOT_WITNESSED") {
		t.Errorf("status %d: %s", got.Code, got.Body)
	}
}

// A statement that can't be made yet is asked for, once the firm has a place.
func TestAStatementIsThereOrAskedFor(t *testing.T) {
	n := newNode(t)
	for target, want := range map[string]int{
		"/v1/subjects/" + firmUSCC + "/statement": http.StatusOK, "/v1/subjects/" + otherUSCC + "/statement": http.StatusAccepted,
		"/v1/subjects/91110101MA8H84F154/statement": http.StatusBadRequest,
	} {
		if got := n.do(request("operator", "POST", target, "")).Code; got != want {
			t.Errorf("%s: status %d, want %d", target, got, want)
		}
	}
	if got := n.do(request("app", "POST", "/v1/subjects/"+firmUSCC+"/statement", "")).Code; got != http.StatusForbidden {
		t.Errorf("an app: status %d", got)
	}
}
