package peers

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// The governance kinds that the directory applies.
const (
	KindAgencyKey       = "agency-key"
	KindAgencyKeyRetire = "agency-key-retire"
	KindPropose         = "member-propose"
	KindApprove         = "member-approve"
)

// MaxGovernanceBody bounds a body before it is parsed.
const MaxGovernanceBody = 2 << 10

// Codes of deterministic rejections: every node answers the same.
const (
	CodeNotActive     = "NOT_ACTIVE"
	CodeOriginUnknown = "ORIGIN_UNKNOWN"
	CodeBodyMalformed = "BODY_MALFORMED"
	CodeKeyExists     = "KEY_EXISTS"
	CodeKeyUnknown    = "KEY_UNKNOWN"
	CodeKeyRetired    = "KEY_RETIRED"
	CodeKeyLimit      = "KEY_LIMIT"

	CodeNotVoter         = "NOT_A_VOTER"
	CodeProposalUnknown  = "PROPOSAL_UNKNOWN"
	CodeProposalApproved = "PROPOSAL_APPROVED"
	CodeRegionExists     = "REGION_EXISTS"
	CodeRegionUnknown    = "REGION_UNKNOWN"
	CodeStage            = "STAGE"
	CodeNodeExists       = "NODE_EXISTS"
	CodeNodeUnknown      = "NODE_UNKNOWN"
	CodeRole             = "ROLE"
	CodeLastKey          = "LAST_KEY"
	CodeProof            = "PROOF"
	CodeSuspect          = "SUSPECT_FROM"
	CodePolicy           = "POLICY"
	CodeLimit            = "LIMIT"
	CodeTooFew           = "TOO_FEW"
)

// Rejection is the refusal of a governance entry. Only the code is part of the
// replicated outcome; the reason is for people and may be worded anew.
type Rejection struct {
	Code   string
	Reason string
}

func (r *Rejection) Error() string { return r.Code + ": " + r.Reason }

func reject(code, format string, args ...any) error {
	return &Rejection{Code: code, Reason: fmt.Sprintf(format, args...)}
}

type agencyKeyRetireBody struct {
	USCC  string `cbor:"uscc"`
	KeyID []byte `cbor:"key_id"`
}

var bodyDecoding = detcbor.Decoding(detcbor.Limits{Levels: 4, Elements: 16, Pairs: 32})

// EncodeAgencyKeyRetire makes the body of an agency-key-retire entry.
func EncodeAgencyKeyRetire(uscc string, id sm.KeyID) ([]byte, error) {
	b := agencyKeyRetireBody{USCC: uscc, KeyID: id[:]}
	if err := b.check(); err != nil {
		return nil, err
	}
	return detcbor.Marshal(b)
}

func (b agencyKeyRetireBody) check() error {
	if len(b.KeyID) != len(sm.KeyID{}) {
		return fmt.Errorf("key_id: not %d bytes", len(sm.KeyID{}))
	}
	return checkUSCC(b.USCC)
}

const (
	maxLabel     = 64
	usccSize     = 18
	usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // GB 32100, without I, O, S, V, Z
)

// checkUSCC looks at the form only. The check character is judged at the
// origin: the fold knows no catalogue and must never change its mind.
func checkUSCC(s string) error {
	if len(s) != usccSize || strings.ContainsFunc(s, notInUSCC) {
		return fmt.Errorf("uscc: not %d characters of GB 32100", usccSize)
	}
	return nil
}

// decodeBody parses a governance body and demands its one spelling. All its
// refusals share a code, so that where the CBOR library draws the line between
// malformed and non-canonical never shows in a replicated outcome.
func decodeBody[T interface{ check() error }](body []byte) (T, error) {
	var v T
	if len(body) > MaxGovernanceBody {
		return v, reject(CodeBodyMalformed, "longer than %d bytes", MaxGovernanceBody)
	}
	if err := bodyDecoding.Unmarshal(body, &v); err != nil {
		return v, reject(CodeBodyMalformed, "not the CBOR map of this kind")
	}
	if err := v.check(); err != nil {
		return v, reject(CodeBodyMalformed, "%v", err)
	}
	again, err := detcbor.Marshal(v)
	if err != nil || !bytes.Equal(again, body) {
		return v, reject(CodeBodyMalformed, "not core deterministic CBOR")
	}
	return v, nil
}

func notInUSCC(r rune) bool { return !strings.ContainsRune(usccAlphabet, r) }
