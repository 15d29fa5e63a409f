package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Members reads the directory.
func (c *Client) Members(ctx context.Context) (Members, error) {
	return get[Members](ctx, c, call{method: http.MethodGet, path: path("members")})
}

// MembersProof reads the members file of docs/formats/evidence.md.
func (c *Client) MembersProof(ctx context.Context) ([]byte, error) {
	answer, err := c.do(ctx, call{method: http.MethodGet, path: path("members", "proof")})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return readFile(answer.Body)
}

// Proposals lists what waits for approvals.
func (c *Client) Proposals(ctx context.Context) (Page[ProposalView], error) {
	return get[Page[ProposalView]](ctx, c, call{method: http.MethodGet, path: path("governance")})
}

// Doubtful lists, from a leaf on, what revoked keys have signed in the time that
// they are suspected of. A page that has a next one may be empty.
func (c *Client) Doubtful(ctx context.Context, from uint64) (Page[DoubtfulEntry], error) {
	q := url.Values{"from": {number(from)}}
	return get[Page[DoubtfulEntry]](ctx, c, call{method: http.MethodGet, path: path("ledger", "doubtful"), query: q})
}

// Propose puts a change before the regions.
func (c *Client) Propose(ctx context.Context, change peers.Change) (GovernanceEntry, error) {
	body, h, err := jsonBody(change)
	if err != nil {
		return GovernanceEntry{}, err
	}
	return get[GovernanceEntry](ctx, c, call{method: http.MethodPost, path: path("governance"), header: h, body: body})
}

// Approve adds this region's approval to a proposal.
func (c *Client) Approve(ctx context.Context, index uint64, digest sm.Digest) (GovernanceEntry, error) {
	body, h, err := jsonBody(Approval{Digest: digest})
	if err != nil {
		return GovernanceEntry{}, err
	}
	return get[GovernanceEntry](ctx, c, call{method: http.MethodPost, path: path("governance", number(index), "approvals"), header: h, body: body})
}
