package exchange

import (
	"encoding/json"
	"strings"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas"
)

// Rules of rows that an agency signed itself.
const (
	RuleAuthorForm         schemas.Code = "AUTHOR_FORM"
	RuleAuthorKeyUnknown   schemas.Code = "AUTHOR_KEY_UNKNOWN"
	RuleAuthorSignature    schemas.Code = "AUTHOR_SIGNATURE"
	RuleAuthorNotCanonical schemas.Code = "AUTHOR_NOT_CANONICAL"
	RuleOperation          schemas.Code = "OPERATION"
)

// signedBy is the author member of a JSON record as an agency sends it.
type signedBy struct {
	KeyID string `json:"key_id"`
	Sig   []byte `json:"sig"` // base64 of the DER signature
}

const maxAuthorJSON = 1 << 10

// checkAuthor verifies an agency's own signature, which stands only over the
// record exactly as it will be shared. It refuses the row otherwise: silently
// vouching for it instead would change who answers for it.
func (in *intake) checkAuthor(v *verdict) {
	if v.check.State != schemas.Accepted {
		return
	}
	if v.check.Operation != schemas.Add {
		refuse(v, RuleOperation, "文件中的更正、撤回尚不受理", "corrections and withdrawals are not taken from files yet",
			"请删去该行；新增记录的“操作”列留空", "take the row out; leave 操作 empty for new records")
		return
	}
	if v.row.Author == nil {
		return
	}
	by, ok := parseSignedBy(v.row.Author)
	if !ok {
		refuse(v, RuleAuthorForm, "author 应为 {key_id, sig}", "author must be {key_id, sig}",
			"key_id 为 32 位十六进制，sig 为 DER 签名的 base64", "key_id is 32 hexadecimal digits, sig the base64 of the DER signature")
		return
	}
	agency := in.principal.Submitter()
	key, ok := in.keyOf(agency, by.KeyID)
	if !ok {
		refuse(v, RuleAuthorKeyUnknown, "该签名公钥未登记或已停用", "the signing key is not registered or is retired",
			"请先由信用中心登记公钥", "have the credit centre register the key first")
		return
	}
	if !v.check.Canonical {
		refuse(v, RuleAuthorNotCanonical, "签名的记录不是规范形式", "the signed record is not in canonical form",
			"请用 creditctl canonical 取得待签字节", "sign the bytes that creditctl canonical prints")
		return
	}
	record, err := v.check.Record.Encode()
	id := key.ID()
	author := &Author{Kind: AuthorAgency, Agency: agency, Key: &id, Signature: by.Sig}
	if err != nil || author.Verify(in.Sealer.Ledger, key, record) != nil {
		refuse(v, RuleAuthorSignature, "签名与记录不符", "the signature does not fit the record",
			"请对 creditctl canonical 输出的字节重新签名", "sign again what creditctl canonical prints")
		return
	}
	v.author = author
}

// keyOf finds an agency's key in force. Recipients judge by the directory as
// of the entry's index, which can only be later.
func (s *Service) keyOf(agency, keyID string) (*sm.AgencyPublic, bool) {
	for _, k := range s.AgencyKeys(agency) {
		if k.Until == 0 && strings.EqualFold(k.Public.ID().String(), keyID) {
			return k.Public, true
		}
	}
	return nil, false
}

func parseSignedBy(raw []byte) (signedBy, bool) {
	var by signedBy
	if len(raw) > maxAuthorJSON {
		return by, false
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	return by, d.Decode(&by) == nil && len(by.Sig) > 0 && len(by.Sig) <= maxSignature
}

func refuse(v *verdict, rule schemas.Code, zh, en, hintZH, hintEN string) {
	f := schemas.NewFinding(rule, v.row)
	f.Message, f.Hint = schemas.Text{ZH: zh, EN: en}, schemas.Text{ZH: hintZH, EN: hintEN}
	v.check.State, v.check.Rule = schemas.Quarantined, rule
	v.check.Findings = append(v.check.Findings, f)
}

// checkFileSignature verifies an agency's detached signature over the whole file,
// if it sent one, and finds the key that made it.
func (s *Service) checkFileSignature(p Principal, digest sm.Digest, sig []byte) (*sm.KeyID, error) {
	if len(sig) == 0 {
		return nil, nil
	}
	by := Author{Kind: AuthorRegion, File: &digest, FileSignature: sig}
	for _, k := range s.AgencyKeys(p.Submitter()) {
		if k.Until == 0 && by.Verify(s.Sealer.Ledger, k.Public, nil) == nil {
			id := k.Public.ID()
			return &id, nil
		}
	}
	return nil, Fail(KindInvalid, string(RuleAuthorSignature), "X-Author-Signature 与文件不符，或公钥未登记",
		"X-Author-Signature does not fit the file, or its key is not registered")
}
