package exchange

import (
	"fmt"
	"strings"
)

// In returns the reminder with title, text and due_text in lang, "en" or "zh";
// anything else reads as Chinese. Names and numbers stay as the record has
// them.
func (r Reminder) In(lang string) Reminder {
	if lang != "en" {
		lang = "zh"
	}
	r.Lang = lang
	if r.Op == OpCancel {
		r.Title, r.Text = "提醒已取消", "该信息已停止共享，请删除此前的提醒。"
		if lang == "en" {
			r.Title, r.Text = "Reminder withdrawn", "This record is no longer shared. Take down the earlier reminder."
		}
		r.DueText = ""
		return r
	}
	if lang == "en" {
		r.writeEnglish()
	} else {
		r.writeChinese()
	}
	return r
}

func (r *Reminder) writeChinese() {
	r.DueText = "自收到之日起15日内"
	r.Title = "行政处罚提醒：" + r.Authority
	var b strings.Builder
	fmt.Fprintf(&b, "%s：%s对贵单位作出行政处罚决定（%s）", r.SubjectName, r.Authority, r.DecisionNo)
	if r.Violation != "" {
		fmt.Fprintf(&b, "，违法行为：%s", r.Violation)
	}
	if r.Plate != "" {
		fmt.Fprintf(&b, "，车辆：%s", r.Plate)
	}
	if r.FineFen != nil {
		fmt.Fprintf(&b, "，罚款%s元，请%s缴纳", yuan(*r.FineFen), r.DueText)
	}
	if r.Pay != nil {
		fmt.Fprintf(&b, "，缴款识别码：%s", r.Pay.Code)
	}
	b.WriteString("。")
	if r.Publication != nil && r.Publication.Published {
		fmt.Fprintf(&b, "公示至%s。", r.Publication.Until)
	}
	r.Text = b.String()
}

func (r *Reminder) writeEnglish() {
	r.DueText = "within 15 days of receipt"
	r.Title = "Administrative penalty: " + r.Authority
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s has issued an administrative penalty decision (%s)", r.SubjectName, r.Authority, r.DecisionNo)
	if r.Violation != "" {
		fmt.Fprintf(&b, "; violation: %s", r.Violation)
	}
	if r.Plate != "" {
		fmt.Fprintf(&b, "; vehicle: %s", r.Plate)
	}
	if r.FineFen != nil {
		fmt.Fprintf(&b, "; fine of CNY %s, payable %s", yuan(*r.FineFen), r.DueText)
	}
	if r.Pay != nil {
		fmt.Fprintf(&b, "; payment code: %s", r.Pay.Code)
	}
	b.WriteString(".")
	if r.Publication != nil && r.Publication.Published {
		fmt.Fprintf(&b, " Published until %s.", r.Publication.Until)
	}
	r.Text = b.String()
}

// yuan writes fen as yuan, with two decimals only where there are any.
func yuan(fen int64) string {
	if fen%100 == 0 {
		return fmt.Sprint(fen / 100)
	}
	return fmt.Sprintf("%d.%02d", fen/100, fen%100)
}
