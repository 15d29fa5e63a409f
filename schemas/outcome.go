package schemas

// Env is what a check needs to know beyond the row: when the file came, from
// whom, and what is registered. It is made once per file and only read.
type Env struct {
	Today       Date            // Asia/Shanghai date of received_at, see DateOf
	Region      string          // of the submitter, such as 120000
	Members     map[string]bool // region codes that exchange records
	Sources     map[string]bool // 数据来源单位 codes permitted to the token
	Authorities map[string]bool // 处罚机关 codes permitted to the token; nil permits the region's whole register
	Registers   Registers
}

// Registers are looked up while a row is checked.
type Registers interface {
	// Firm finds a firm of any region by its code.
	Firm(uscc string) (Firm, bool)
	// Authority finds a penalty authority in one region's register.
	Authority(region, uscc string) (Authority, bool)
}

// Firm is one entry of the firm register.
type Firm struct {
	USCC        string   `json:"uscc"`
	Name        string   `json:"name"`
	FormerNames []string `json:"former_names,omitempty"`
	HomeRegion  string   `json:"home_region"` // province of 住所 or 经营许可所在地
	District    string   `json:"district,omitempty"`
	Licence     string   `json:"licence,omitempty"` // road transport licence number
}

// SourcePlan is what was agreed with one source of records of one kind.
type SourcePlan struct {
	USCC      string `json:"uscc"` // the submitting unit
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	EveryDays int    `json:"every_days"` // calendar days from one file to the next, at most
}

// Authority is one entry of a region's register of penalty authorities.
type Authority struct {
	USCC      string   `json:"uscc"`
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases,omitempty"` // other names, among them units that send under this code
	Parent    string   `json:"parent,omitempty"`  // code of the authority above
	Region    string   `json:"region"`
	ValidFrom Date     `json:"valid_from,omitempty"` // empty: always was
	ValidTo   Date     `json:"valid_to,omitempty"`   // last day; empty: still is
}

// Outcome is everything a check found out about one row.
type Outcome struct {
	State          State
	Rule           Code // the first refusing rule; empty when accepted
	Findings       []Finding
	Normalisations []Normalisation
	// Releasable says that every refusing rule is one that two persons may
	// set aside. Record, Content and Route are then filled as well.
	Releasable bool
	Record     *Penalty // what may leave the region; nil when refused for good
	Key        Key      // zero in a row that does not name its decision
	Content    Content  // what DUPLICATE and CONFLICT compare; holds personal data
	Route      Route
	Class      Class
	Published  bool // false: for supervision and reminder only
	Operation  Operation
	// Canonical says that the row came exactly as it is recorded, so that an
	// agency's own signature over the record can stand.
	Canonical bool
}

// Normalisation is one change made to a cell before it was judged.
type Normalisation struct {
	Code  NormalisationCode `json:"code" cbor:"1,keyasint"`
	Field string            `json:"field" cbor:"2,keyasint"`
	Cell  string            `json:"cell,omitempty" cbor:"3,keyasint,omitempty"`
}

// Route says whom an accepted record concerns.
type Route struct {
	Subject string `json:"subject"` // code of the firm; empty for natural persons and the sentinel
	Home    string `json:"home"`    // region, empty when unknown
	// Local records stay in the submitting region and off the shared ledger.
	Local bool `json:"local"`
	// Remind says that the firm's home is a member, so that its feed gets a
	// reminder.
	Remind bool   `json:"remind"`
	Flags  []Code `json:"flags,omitempty"` // ROUTE_BY_CODE, ROUTE_UNKNOWN, ROUTE_NOT_MEMBER
}

// Class is a 失信程度 and whose word it is.
type Class struct {
	Value   string `json:"value"`
	Derived bool   `json:"derived"` // by the policy pack, never to be shown as the agency's word
}
