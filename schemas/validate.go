package schemas

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Validate judges a record as it was opened at a recipient: size, canonical
// encoding, and what the kind's JSON Schema says of it. The rules of intake are
// the origin's. An error names the place of a fault, never its value.
//
// The schema is what is published, and takes four times as long to interpret;
// a test holds it and these checks to one verdict.
func (k *Kind) Validate(record []byte) error {
	p, err := DecodePenalty(record)
	if err != nil {
		return err
	}
	if place := p.fault(k.dictionary); place != "" {
		return fmt.Errorf("%w at /%s", ErrRecordSchema, place)
	}
	return nil
}

// recordedText is one text of a record under its name.
type recordedText struct {
	name, text string
	required   bool
}

func (p *Penalty) texts() []recordedText {
	return []recordedText{
		{"subject_name", p.SubjectName, true},
		{"subject_category", p.SubjectCategory, true},
		{"subject_uscc", p.SubjectUSCC, p.SubjectCategory == legalPerson},
		{"subject_biz_reg_no", p.SubjectBizRegNo, false},
		{"subject_org_code", p.SubjectOrgCode, false},
		{"subject_tax_no", p.SubjectTaxNo, false},
		{"subject_institution_cert_no", p.SubjectInstitutionNo, false},
		{"subject_social_org_no", p.SubjectSocialOrgNo, false},
		{"legal_representative", p.LegalRepresentative, false},
		{"legal_rep_id_type", p.LegalRepIDType, false},
		{"subject_id_type", p.SubjectIDType, false},
		{"decision_no", p.DecisionNo, true},
		{"violation_type", p.ViolationType, false},
		{"violation_facts", p.ViolationFacts, false},
		{"legal_basis", p.LegalBasis, false},
		{"penalty_content", p.PenaltyContent, false},
		{"revoked_licence", p.RevokedLicence, false},
		{"decision_date", string(p.DecisionDate), true},
		{"penalty_valid_until", string(p.ValidUntil), false},
		{"authority_name", p.AuthorityName, true},
		{"authority_uscc", p.AuthorityUSCC, true},
		{"publication_until", string(p.PublicationUntil), false},
		{"source_name", p.SourceName, false},
		{"source_uscc", p.SourceUSCC, true},
		{"remark", p.Remark, false},
		{"served_date", string(p.ServedDate), false},
		{"payment_code", p.PaymentCode, false},
		{"dishonesty_class", p.DishonestyClass, false},
	}
}

// What a record may hold beside texts.
const (
	mostFen       = int64(1e18)
	mostTypes     = 20
	mostPlates    = 16
	longestPlate  = 32
	longestColour = 16
)

// fault names the first place that is not as the schema says, "" if none is.
func (p *Penalty) fault(d *Dictionary) string {
	if p.Version != 1 {
		return "v"
	}
	for _, t := range p.texts() {
		switch {
		case t.text == "":
			if t.required {
				return t.name
			}
		case !d.admits(t.name, t.text):
			return t.name
		}
	}
	switch {
	case p.SubjectCategory == naturalPerson && p.SubjectUSCC != "":
		return "subject_uscc"
	case p.FineFen < 0 || p.FineFen > mostFen:
		return "fine_fen"
	case p.ConfiscatedFen < 0 || p.ConfiscatedFen > mostFen:
		return "confiscated_fen"
	case !d.Lists["penalty_type"].admitsAll(p.PenaltyTypes):
		return "penalty_types"
	case len(p.Plates) > mostPlates || slices.ContainsFunc(p.Plates, Plate.tooLong):
		return "plates"
	}
	return ""
}

func (p Plate) tooLong() bool {
	return p.Number == "" || utf8.RuneCountInString(p.Number) > longestPlate || utf8.RuneCountInString(p.Colour) > longestColour
}

var (
	usccForm    = regexp.MustCompile(`^[0-9A-HJ-NPQRTUWXY]{18}$`)
	orgCodeForm = regexp.MustCompile(`^[0-9A-Z]{8}[0-9X]$`)
	dateForm    = regexp.MustCompile(`^(199\d|[2-9]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`)
)

// admits reports whether a text can stand in a record under a field's name.
func (d *Dictionary) admits(name, text string) bool {
	f := &d.Fields[d.names[name]]
	switch f.Type {
	case USCCType:
		return usccForm.MatchString(text)
	case OrgCodeType:
		return orgCodeForm.MatchString(text)
	case DateType:
		return dateForm.MatchString(text)
	case EnumType:
		return slices.Contains(d.Lists[f.List].Values, text)
	}
	return utf8.RuneCountInString(text) <= f.Max
}

// admitsAll reports whether each of the types is listed, or named behind the
// prefix, and none twice.
func (l CodeList) admitsAll(types []string) bool {
	const longest = 100
	for i, t := range types {
		named, free := strings.CutPrefix(t, l.Prefix)
		free = free && named != "" && named[0] != '\n' && utf8.RuneCountInString(t) <= longest
		if !free && !slices.Contains(l.Values, t) || slices.Contains(types[:i], t) {
			return false
		}
	}
	return len(types) > 0 && len(types) <= mostTypes
}
