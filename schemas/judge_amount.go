package schemas

import (
	"errors"
	"slices"
)

// judgeAmounts applies AMOUNT_MISSING, AMOUNT_UNIT and AMOUNT_UNREAD.
func (j *judged) judgeAmounts() {
	found := readAmounts(j.text("CF_NR"))
	fined := slices.Contains(j.types, "罚款")
	j.judgeAmount(j.at("CF_NR_FK"), fined, found, fineAmount)
	confiscated := slices.Contains(j.types, "没收违法所得") || slices.Contains(j.types, "没收非法财物")
	j.judgeAmount(j.at("CF_NR_WFFF"), confiscated, found, confiscatedAmount)
}

// judgeAmount judges one money field, which is due if the types of the
// penalty say so, against the amounts that its text gives.
func (j *judged) judgeAmount(v *value, due bool, found []writtenAmount, kind amountKind) {
	if v.spoilt {
		return
	}
	written, clear := only(found, kind)
	if v.fen == 0 {
		if due {
			f := j.find(AmountMissing, v)
			if clear {
				f.Hint = Text{
					"处罚内容写有 " + formatYuan(written) + " 元，应填 " + formatWan(written) + "（万元）",
					"the text says " + formatYuan(written) + " 元: give " + formatWan(written) + " in 万元",
				}
			}
		}
		return
	}
	ok, read := agrees(found, kind, v.fen)
	if !read {
		if due {
			j.find(AmountUnread, j.at("CF_NR"))
		}
		if v.own {
			j.find(AmountUnit, v)
		}
		return
	}
	if kind == fineAmount {
		j.compared++
		if inYuan, _ := agrees(found, kind, v.fen/10_000); !ok && v.fen%10_000 == 0 && inYuan {
			j.inYuan++
		}
	}
	if ok && !v.own {
		return
	}
	f := j.find(AmountUnit, v)
	f.Message = Text{
		v.field.Name.ZH + " 折合 " + formatYuan(v.fen) + " 元，与处罚内容不一致",
		"the amount is " + formatYuan(v.fen) + " 元 and disagrees with the text",
	}
	if v.own {
		f.Message = Text{"本列单位为万元，单元格写的是元", "the column is in 万元, the cell says 元"}
	}
	if clear {
		f.Hint = Text{
			"处罚内容写有 " + formatYuan(written) + " 元，应填 " + formatWan(written) + "（万元）",
			"the text says " + formatYuan(written) + " 元: that is " + formatWan(written) + " 万元",
		}
	}
}

// only returns the amount of a kind if the text gives exactly one.
func only(found []writtenAmount, kind amountKind) (int64, bool) {
	var fen int64
	count := 0
	for _, a := range found {
		if (a.kind == kind || (len(found) == 1 && a.kind == unclearAmount)) && a.fen != fen {
			fen = a.fen
			count++
		}
	}
	return fen, count == 1
}

// findAmount reports a cell of which no amount can be taken.
func (j *judged) findAmount(reason error, v *value) {
	switch {
	case errors.Is(reason, errAmountPrecision), errors.Is(reason, errAmountSize):
		f := j.find(Length, v)
		f.Message = Text{"金额最多12位整数、6位小数（万元）", "an amount in 万元 has at most 12 digits and 6 decimals"}
	case errors.Is(reason, errAmountNegative):
		f := j.find(AmountMissing, v)
		f.Message = Text{"金额不能为负数", "the amount is negative"}
	default:
		f := j.find(AmountMissing, v)
		f.Message = Text{"金额不是数字", "the amount is not a number"}
	}
}
