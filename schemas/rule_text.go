package schemas

import "strings"

// rule is what is fixed about a rule: its group, whether two persons may set
// it aside, and what a finding says when the check has nothing more exact.
type rule struct {
	family     Family
	warns      bool
	releasable bool
	message    Text
	hint       Text
}

// precedence lists the refusing rules in the order in which the first one
// becomes the rule of the row.
var precedence = []Code{
	NaturalPersonCode, Length, Required, Enum, USCCCheck, OrgCodeCheck, NumberPrecision,
	DateFormat, DateFuture, DateOrder, AmountMissing, AmountUnit, PublicationTooLong,
	SourceMismatch, AuthorityUnknown, NameMismatch, Conflict, Duplicate,
}

// Releasable reports whether two persons may set the rule aside.
func (c Code) Releasable() bool { return rules[c].releasable }

var rules = map[Code]rule{
	NaturalPersonCode: {family: FieldSetting,
		message: Text{"自然人填写了统一社会信用代码", "a natural person has a unified social credit code"},
		hint:    Text{"如为个体工商户请改“行政相对人类别”；如为自然人请清空代码并填写证件类型和证件号码", "make the category 个体工商户, or clear the code and give the identity document"}},
	Length: {family: FieldSetting,
		message: Text{"超过字段长度", "longer than its field"},
		hint:    Text{"请缩短到规定长度以内", "shorten it to the prescribed length"}},
	Required: {family: FieldSetting,
		message: Text{"必填字段为空", "a mandatory field is empty"},
		hint:    Text{"请补填后重新报送本行", "fill it in and send the row again"}},
	Enum: {family: FieldSetting,
		message: Text{"不在规定的取值范围内", "not one of the prescribed values"},
		hint:    Text{"请从代码集中选择", "choose from the code list"}},
	USCCCheck: {family: ContentRule,
		message: Text{"统一社会信用代码校验未通过", "the unified social credit code fails its check (GB 32100)"},
		hint:    Text{"请对照营业执照逐位核对，不要手工补改校验位", "compare it with the licence, character by character"}},
	OrgCodeCheck: {family: ContentRule, releasable: true,
		message: Text{"组织机构代码校验未通过", "the organisation code fails its check (GB 11714)"},
		hint:    Text{"请核对代码第9至17位，应与组织机构代码一致", "characters 9 to 17 must be the organisation code"}},
	NumberPrecision: {family: ContentRule,
		message: Text{"代码被表格软件存成了数字，末尾数字已丢失", "a code was stored as a number and has lost its last digits"},
		hint:    Text{"请设为文本格式后重新填写完整代码", "format the column as text and enter the whole code again"}},
	DateFormat: {family: ContentRule,
		message: Text{"日期无法识别", "the date can't be read"},
		hint:    Text{"请写成 YYYY/MM/DD，年份写四位，例如 2026/04/01", "write YYYY/MM/DD with a four-digit year"}},
	DateFuture: {family: ContentRule,
		message: Text{"日期晚于报送当日", "the date lies after the day of submission"},
		hint:    Text{"请核对年份和日期", "check the year and the day"}},
	DateOrder: {family: ContentRule,
		message: Text{"日期早于处罚决定日期", "the date lies before the decision"},
		hint:    Text{"请核对处罚决定日期和本日期", "check this date against the date of the decision"}},
	AmountMissing: {family: ContentRule,
		message: Text{"处罚类别含罚款或没收，但没有相应金额", "a fine or confiscation without its amount"},
		hint:    Text{"请按万元填写大于零的金额，例如 2000 元填 0.2", "give an amount above zero in 万元: 2000 元 is 0.2"}},
	AmountUnit: {family: ContentRule, releasable: true,
		message: Text{"金额与处罚内容中的金额不一致", "the amount disagrees with the text of the penalty"},
		hint:    Text{"本列单位为万元，请核对是否误填为元", "the column is in 万元: check for a slip of unit"}},
	PublicationTooLong: {family: ContentRule, releasable: true,
		message: Text{"公示截止期超过最长公示期", "published for longer than the rules allow"},
		hint:    Text{"请改为不晚于最长公示期届满之日", "choose a date within the longest period"}},
	SourceMismatch: {family: ContentRule,
		message: Text{"数据来源单位不在本账号的报送范围内", "the source unit is not permitted to this token"},
		hint:    Text{"请核对数据来源单位代码，或向信用中心申请增加报送范围", "check the source code, or ask the centre to widen the scope"}},
	AuthorityUnknown: {family: ContentRule,
		message: Text{"处罚机关不在本地区处罚机关名录中", "the authority is not in this region's register"},
		hint:    Text{"请核对处罚机关代码；下属支队、大队请填所属机关的代码", "check the code; units without one send under the authority above them"}},
	NameMismatch: {family: ContentRule, releasable: true,
		message: Text{"名称与该统一社会信用代码登记的名称不符", "the name is not the one registered under this code"},
		hint:    Text{"请核对名称和代码，以免提醒到其他企业", "check name and code, else another firm is reminded"}},
	Conflict: {releasable: true,
		message: Text{"同一文号已有内容不同的有效记录", "the same decision is already recorded with other content"},
		hint:    Text{"请与先前的记录核对，不要改文号绕过；本版本尚不受理更正", "compare it with the earlier record; corrections are not taken yet"}},
	Duplicate: {
		message: Text{"与已接收的记录相同，不重复入库", "the same as a record already accepted"}},

	UnknownColumn: {family: FieldSetting, warns: true,
		message: Text{"无法识别的列，未采集", "a column that is not known and was not taken"},
		hint:    Text{"请使用国家标准字段代码或中文名称作表头", "use the national codes or Chinese names as header"}},
	BasisForm: {family: ContentRule, warns: true,
		message: Text{"处罚依据未写明法规名称和条款", "the legal basis names no law and article"},
		hint:    Text{"宜写成《……》第……条", "the usual form is 《…》第…条"}},
	DecisionNoForm: {family: ContentRule, warns: true,
		message: Text{"决定书文号不是常见格式", "the decision number has an unusual form"},
		hint:    Text{"常见格式如 津交执罚〔2026〕1号，请核对", "the usual form is 津交执罚〔2026〕1号"}},
	AmountUnread: {family: ContentRule, warns: true,
		message: Text{"处罚内容中读不出金额，未能核对", "no amount could be read from the text, so none was compared"},
		hint:    Text{"宜在处罚内容中写明金额", "state the amount in the text of the penalty"}},
	PIIInText: {family: ContentRule, warns: true,
		message: Text{"文字中有身份证号或电话号码，已遮盖", "identity or phone numbers in the text were masked"},
		hint:    Text{"请勿在文字字段中填写个人信息", "leave personal data out of text fields"}},
	Late: {family: Frequency, warns: true,
		message: Text{"报送晚于规定的工作日", "sent later than the rules allow"},
		hint:    Text{"请在作出决定之日起 7 个工作日内报送（暂按周末推算）", "send within 7 working days of the decision (weekends only are counted out)"}},
	RouteByCode: {family: ContentRule, warns: true,
		message: Text{"企业不在登记名录中，按代码中的登记地推送", "the firm is not in the register: routed by the region in its code"},
		hint:    Text{"请补充企业名录，住所可能已迁移", "add it to the register: the firm may have moved"}},
	RouteUnknown: {family: ContentRule, warns: true,
		message: Text{"无法判断企业所在地，仅在本地留存", "the firm's home is unknown: kept locally"},
		hint:    Text{"请补充企业名录", "add the firm to the register"}},
	RouteNotMember: {family: ContentRule, warns: true,
		message: Text{"企业所在地尚未加入，仅在本地留存", "the firm's home region is no member: kept locally"}},
	IDCardCheck: {family: ContentRule, warns: true,
		message: Text{"身份证号码校验未通过", "the identity number fails its check (GB 11643)"},
		hint:    Text{"请核对证件", "check it against the document"}},
	BizRegCheck: {family: ContentRule, warns: true,
		message: Text{"工商注册号校验未通过", "the business registration number fails its check"},
		hint:    Text{"请核对营业执照", "check it against the licence"}},
	PlateForm: {family: ContentRule, warns: true,
		message: Text{"车牌号码格式不符", "the plate has an unusual form"},
		hint:    Text{"多个号牌请用“/”分隔，号牌与颜色一一对应", "separate plates with /, one colour for each"}},
	Erased: {warns: true,
		message: Text{"先前的记录已停止共享并清除，不再重新共享", "the earlier record was taken down and erased; it is not shared again"},
		hint:    Text{"如系新的处罚决定，请核对文号", "if this is another decision, check its number"}},

	OldForm: {family: FieldSetting, warns: true,
		message: Text{"旧版表样：缺少现行必填列", "the form of an earlier year: mandatory columns are missing"},
		hint:    Text{"请下载现行30项表样填报", "use the present form of 30 fields"}},
	ColumnInYuan: {family: ContentRule, warns: true,
		message: Text{"整列金额疑似按元填写", "the whole column seems to be in 元"},
		hint:    Text{"请改为万元，或把表头写明为“罚款金额（元）”", "convert to 万元, or let the header say 罚款金额（元）"}},
	RowSkipped: {family: Quantity, warns: true,
		message: Text{"不是数据行，未计入", "not a data row, not counted"}},
	ColumnSkipped: {family: FieldSetting, warns: true,
		message: Text{"不采集的列，已跳过", "a column that is not collected was skipped"}},
	SheetSkipped: {family: Quantity, warns: true,
		message: Text{"工作表未读取", "a sheet was not read"}},
	CountMismatch: {family: Quantity, warns: true,
		message: Text{"收到的行数与报送单位申报的不同", "other than the number of rows that the sender declared"},
		hint:    Text{"请核对文件是否完整", "check that the file is complete"}},
	SequenceGap: {family: Quantity, warns: true,
		message: Text{"报送序号不连续", "the sender's number does not follow its last one"},
		hint:    Text{"请补报缺失的文件，或核对序号", "send what is missing, or check the number"}},
	SourceSilent: {family: Frequency, warns: true,
		message: Text{"超过约定的更新周期未报送", "nothing has come within the agreed period"},
		hint:    Text{"请联系来源单位；确无数据的，应作零报告", "ask the source; one that has nothing should say so"}},
}

// NewDuplicate returns the finding for a row that repeats the accepted row
// earlier, whose id or place the caller names.
func NewDuplicate(row Row, earlier string) Finding {
	f := NewFinding(Duplicate, row)
	f.Hint = Text{"先前的记录：" + earlier, "earlier record: " + earlier}
	return f
}

// NewConflict returns the finding for a row whose key an accepted live record
// has with other content. Fields are the codes that DiffContent gave.
func NewConflict(row Row, earlier string, fields []string) Finding {
	f := NewFinding(Conflict, row)
	f.Field = strings.Join(fields, ",")
	f.Message = Text{
		"同一文号已有内容不同的有效记录 " + earlier + "，不同的字段：" + strings.Join(fieldNames(fields), "、"),
		"recorded as " + earlier + " with other content in " + strings.Join(fields, ", "),
	}
	return f
}

// NewUnread returns the finding for a row whose key an earlier record has that
// can't be read any more to compare: a conflict until people have looked.
func NewUnread(row Row, earlier string) Finding {
	f := NewFinding(Conflict, row)
	f.Message = Text{
		"同一文号的记录 " + earlier + " 只在账本上，本节点读不出其内容，无法比对",
		"recorded as " + earlier + " on the ledger only, where this node can't read what it says",
	}
	f.Hint = Text{"请交本地区运行人员核查", "have the region's operators look into it"}
	return f
}
