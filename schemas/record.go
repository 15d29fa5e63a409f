package schemas

// Penalty is the shared record of kind administrative-penalty: what may leave
// the region that decided it. It has no identity document numbers. Text is
// normalised and masked; an absent value is empty. Money is in fen, dates are
// ISO dates. Its bytes are specified in docs/formats/record.md.
type Penalty struct {
	Version              int      `cbor:"v" json:"v"`
	SubjectName          string   `cbor:"subject_name" json:"subject_name"`
	SubjectCategory      string   `cbor:"subject_category" json:"subject_category"`
	SubjectUSCC          string   `cbor:"subject_uscc,omitempty" json:"subject_uscc,omitempty"`
	SubjectBizRegNo      string   `cbor:"subject_biz_reg_no,omitempty" json:"subject_biz_reg_no,omitempty"`
	SubjectOrgCode       string   `cbor:"subject_org_code,omitempty" json:"subject_org_code,omitempty"`
	SubjectTaxNo         string   `cbor:"subject_tax_no,omitempty" json:"subject_tax_no,omitempty"`
	SubjectInstitutionNo string   `cbor:"subject_institution_cert_no,omitempty" json:"subject_institution_cert_no,omitempty"`
	SubjectSocialOrgNo   string   `cbor:"subject_social_org_no,omitempty" json:"subject_social_org_no,omitempty"`
	LegalRepresentative  string   `cbor:"legal_representative,omitempty" json:"legal_representative,omitempty"`
	LegalRepIDType       string   `cbor:"legal_rep_id_type,omitempty" json:"legal_rep_id_type,omitempty"`
	SubjectIDType        string   `cbor:"subject_id_type,omitempty" json:"subject_id_type,omitempty"`
	DecisionNo           string   `cbor:"decision_no" json:"decision_no"`
	ViolationType        string   `cbor:"violation_type,omitempty" json:"violation_type,omitempty"`
	ViolationFacts       string   `cbor:"violation_facts,omitempty" json:"violation_facts,omitempty"`
	LegalBasis           string   `cbor:"legal_basis,omitempty" json:"legal_basis,omitempty"`
	PenaltyTypes         []string `cbor:"penalty_types" json:"penalty_types"`
	PenaltyContent       string   `cbor:"penalty_content,omitempty" json:"penalty_content,omitempty"`
	FineFen              int64    `cbor:"fine_fen,omitempty" json:"fine_fen,omitempty"`
	ConfiscatedFen       int64    `cbor:"confiscated_fen,omitempty" json:"confiscated_fen,omitempty"`
	RevokedLicence       string   `cbor:"revoked_licence,omitempty" json:"revoked_licence,omitempty"`
	DecisionDate         Date     `cbor:"decision_date" json:"decision_date"`
	ValidUntil           Date     `cbor:"penalty_valid_until,omitempty" json:"penalty_valid_until,omitempty"`
	AuthorityName        string   `cbor:"authority_name" json:"authority_name"`
	AuthorityUSCC        string   `cbor:"authority_uscc" json:"authority_uscc"`
	PublicationUntil     Date     `cbor:"publication_until,omitempty" json:"publication_until,omitempty"`
	SourceName           string   `cbor:"source_name,omitempty" json:"source_name,omitempty"`
	SourceUSCC           string   `cbor:"source_uscc" json:"source_uscc"`
	Remark               string   `cbor:"remark,omitempty" json:"remark,omitempty"`
	ServedDate           Date     `cbor:"served_date,omitempty" json:"served_date,omitempty"`
	PaymentCode          string   `cbor:"payment_code,omitempty" json:"payment_code,omitempty"`
	Plates               []Plate  `cbor:"plates,omitempty" json:"plates,omitempty"`
	// DishonestyClass is the agency's own word; a derived class is never
	// recorded, so that each reader derives it by the pack then in force.
	DishonestyClass string `cbor:"dishonesty_class,omitempty" json:"dishonesty_class,omitempty"`
}

// Plate is one vehicle that a decision names.
type Plate struct {
	Number string `cbor:"number" json:"number"`
	Colour string `cbor:"colour,omitempty" json:"colour,omitempty"`
}
