package schemas

// Code names a rule in the API. Codes are never renamed.
type Code string

// Family is the group of checks a rule belongs to.
type Family string

// The four families of “五步九环”.
const (
	FieldSetting Family = "字段设置"
	ContentRule  Family = "内容要求"
	Frequency    Family = "更新频率"
	Quantity     Family = "数据数量"
)

// The rules that refuse a row, in the order in which they are judged: the
// first that refuses is the rule of the row.
const (
	NaturalPersonCode  Code = "NATURAL_PERSON_CODE"
	Length             Code = "LENGTH"
	Required           Code = "REQUIRED"
	Enum               Code = "ENUM"
	USCCCheck          Code = "USCC_CHECK"
	OrgCodeCheck       Code = "ORG_CODE_CHECK"
	NumberPrecision    Code = "NUMBER_PRECISION"
	DateFormat         Code = "DATE_FORMAT"
	DateFuture         Code = "DATE_FUTURE"
	DateOrder          Code = "DATE_ORDER"
	AmountMissing      Code = "AMOUNT_MISSING"
	AmountUnit         Code = "AMOUNT_UNIT"
	PublicationTooLong Code = "PUBLICATION_TOO_LONG"
	SourceMismatch     Code = "SOURCE_MISMATCH"
	AuthorityUnknown   Code = "AUTHORITY_UNKNOWN"
	NameMismatch       Code = "NAME_MISMATCH"
	Conflict           Code = "CONFLICT"
	Duplicate          Code = "DUPLICATE"
)

// The rules that only warn.
const (
	UnknownColumn  Code = "UNKNOWN_COLUMN"
	BasisForm      Code = "BASIS_FORM"
	DecisionNoForm Code = "DECISION_NO_FORM"
	AmountUnread   Code = "AMOUNT_UNREAD"
	PIIInText      Code = "PII_IN_TEXT"
	Late           Code = "LATE"
	RouteByCode    Code = "ROUTE_BY_CODE"
	RouteUnknown   Code = "ROUTE_UNKNOWN"
	RouteNotMember Code = "ROUTE_NOT_MEMBER"
	IDCardCheck    Code = "ID_CARD_CHECK"
	BizRegCheck    Code = "BIZ_REG_CHECK"
	PlateForm      Code = "PLATE_FORM"
	Erased         Code = "ERASED"
)

// The findings about a whole file.
const (
	OldForm       Code = "OLD_FORM"
	ColumnInYuan  Code = "COLUMN_IN_YUAN"
	RowSkipped    Code = "ROW_SKIPPED"
	ColumnSkipped Code = "COLUMN_SKIPPED"
	SheetSkipped  Code = "SHEET_SKIPPED"
	CountMismatch Code = "COUNT_MISMATCH"
	SequenceGap   Code = "SEQUENCE_GAP"
)

// The findings about a source that keeps silent or skips.
const (
	SourceSilent Code = "SOURCE_SILENT"
)

// NormalisationCode names a change that is made to a cell and logged.
type NormalisationCode string

// The normalisations.
const (
	FullWidth  NormalisationCode = "FULLWIDTH"
	Upper      NormalisationCode = "UPPER"
	Trim       NormalisationCode = "TRIM"
	Invisible  NormalisationCode = "INVISIBLE"
	Brackets   NormalisationCode = "BRACKETS"
	DateText   NormalisationCode = "DATE"
	SerialDate NormalisationCode = "SERIAL_DATE"
	EmptyMark  NormalisationCode = "EMPTY_MARK"
	FloatTail  NormalisationCode = "FLOAT"
	EnumAlias  NormalisationCode = "ENUM_ALIAS"
)
