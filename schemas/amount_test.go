package schemas

import (
	"errors"
	"testing"
)

func TestAmountCells(t *testing.T) {
	for _, c := range []struct {
		cell string
		yuan bool
		fen  int64
		err  error
	}{
		{"0.2", false, 2000_00, nil},
		{"0.28999999999999998", false, 2900_00, nil},
		{"0.28999999999999992", false, 2900_00, nil},
		{"1.7499999999999998", false, 17500_00, nil},
		{"5.0000000000000002E-5", false, 50, nil},
		{"0.000001", false, 1, nil},
		{"0.0000001", false, 0, errAmountPrecision},
		{"1,234.5", false, 12_345_000_00, nil},
		{"12,34", false, 0, errAmountText},
		{"２０００", true, 2000_00, nil},
		{"2000", true, 2000_00, nil},
		{"2000.015", true, 0, errAmountPrecision},
		{"2000元", false, 2000_00, nil},
		{"¥0.2万元", false, 2000_00, nil},
		{"０．２万", false, 2000_00, nil},
		{"万", false, 0, errAmountText},
		{"0", false, 0, nil},
		{"-1", false, 0, errAmountNegative},
		{"999999999999.999999", false, 0, errAmountSize}, // 18 digits round to 15, one up
		{"99999999999", false, 99_999_999_999_000_000, nil},
		{"1e64", false, 0, errAmountSize},
		{"", false, 0, errAmountText},
		{".", false, 0, errAmountText},
		{"1.2.3", false, 0, errAmountText},
		{"0x10", false, 0, errAmountText},
	} {
		a, err := parseAmount(c.cell, c.yuan)
		if !errors.Is(err, c.err) || (err == nil && a.fen != c.fen) {
			t.Errorf("%q: %d %v, want %d %v", c.cell, a.fen, err, c.fen, c.err)
		}
	}
	for fen, want := range map[int64]string{2000_00: "0.2", 1: "0.000001", 1_000_000: "1", 0: "0"} {
		if got := formatWan(fen); got != want {
			t.Errorf("%d fen: %s 万元, want %s", fen, got, want)
		}
	}
}

// TestAmountsInTexts reads the texts that penalties are written in. Agreed
// and refused are fines in fen that do and don't stand in the text.
func TestAmountsInTexts(t *testing.T) {
	for _, c := range []struct {
		text    string
		kind    amountKind
		agreed  int64
		refused int64
	}{
		{"罚款人民币2000元", fineAmount, 2000_00, 2000_0000_00},
		{"罚款2,000.00元", fineAmount, 2000_00, 2_00},
		{"罚款20，400元", fineAmount, 20400_00, 400_00},
		{"罚款0.2万元", fineAmount, 2000_00, 20_00},
		{"罚款２０００元", fineAmount, 2000_00, 200_00},
		{"警告,并处罚款人民币贰佰元整", fineAmount, 200_00, 2_00},
		{"处罚款壹万贰仟叁佰肆拾伍元陆角柒分", fineAmount, 12345_67, 12345_00},
		{"罚款贰拾伍万元整", fineAmount, 250_000_00, 25_00},
		{"罚款一百零五元", fineAmount, 105_00, 100_00},
		{"罚款二千元", fineAmount, 2000_00, 2_00},
		{"罚款2万5千元", fineAmount, 25000_00, 5000_00},
		{"罚款二〇〇〇元", fineAmount, 2000_00, 0},
		{"处以3000元罚款", fineAmount, 3000_00, 300_00},
		{"罚款人民币贰仟元整（¥2,000.00）", fineAmount, 2000_00, 4_00},
		{"罚款，人民币2000元整", fineAmount, 2000_00, 1},
		{"罚款人民币2000元,没收违法所得500元", fineAmount, 2000_00, 500_00},
		{"罚款人民币2000元,没收违法所得500元", confiscatedAmount, 500_00, 2000_00},
		{"没收违法所得500元并处2000元罚款", fineAmount, 2000_00, 500_00},
		{"违法所得500元予以没收", confiscatedAmount, 500_00, 5_00},
		{"对公司罚款2000元，对驾驶员罚款500元", fineAmount, 2500_00, 1500_00},
		{"没收违法所得500元，罚款2000元，合计2500元", fineAmount, 2500_00, 3000_00},
		{"可处2000元以上5000元以下罚款，决定罚款3000元", fineAmount, 3000_00, 5000_00},
		{"未足额缴纳通行费1200元，罚款2000元", fineAmount, 2000_00, 1200_00},
		{"罚款2000元，逾期每日按3%加处罚款，每日60元", fineAmount, 2000_00, 60_00},
		{"2026年6月24日决定罚款2000元，限15日内缴纳", fineAmount, 2000_00, 15_00},
	} {
		found := readAmounts(c.text)
		if ok, read := agrees(found, c.kind, c.agreed); !ok || !read {
			t.Errorf("%s: %d is not found in %v", c.text, c.agreed, found)
		}
		if ok, _ := agrees(found, c.kind, c.refused); ok {
			t.Errorf("%s: %d agrees with %v", c.text, c.refused, found)
		}
	}
	for _, text := range []string{"", "罚款", "依据第六十三条处罚", "十五日内", "万元", "罚款若干元", "9999999999999999999元", "九九九九九九九九九九九九九九九九九九亿亿亿元"} {
		for _, a := range readAmounts(text) {
			if a.fen < 0 {
				t.Errorf("%s: overflow", text)
			}
		}
		if _, read := agrees(readAmounts(text), fineAmount, 1); read && text != "九九九九九九九九九九九九九九九九九九亿亿亿元" {
			t.Errorf("%s: an amount was read", text)
		}
	}
}

func TestMasking(t *testing.T) {
	for in, want := range map[string]string{
		"身份证号11010519491231002X,电话13800138000。": "身份证号11****************,电话138********。",
		"号110105 19491231 002x":                 "号11****************",
		"１３８００１３８０００":                           "138********",
		"138-0013-8000":                         "138********",
		"老身份证110105491231002":                   "老身份证11*************",
		"车辆 110 13800138000":                    "车辆 110 138********",
		"911201160010000960":                    "911201160010000960", // a code, no birthday in it
		"缴款码61137079534347713985":               "缴款码61137079534347713985",
		"工商注册号110108012660422":                  "工商注册号110108012660422",
		"罚款2000元，2026年6月24日":                    "罚款2000元，2026年6月24日",
	} {
		got, masked := maskPersonal(in)
		if got != want || masked != (in != want) {
			t.Errorf("%s: %s %v, want %s", in, got, masked, want)
		}
	}
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		from   Date
		months int
		want   Date
	}{
		{"2026-05-31", 3, "2026-08-31"}, {"2026-11-30", 3, "2027-02-28"}, {"2027-11-30", 3, "2028-02-29"},
		{"2024-02-29", 12, "2025-02-28"}, {"2026-04-01", 36, "2029-04-01"}, {"x", 1, ""},
	} {
		if got := c.from.addMonths(c.months); got != c.want {
			t.Errorf("%s and %d months: %s, want %s", c.from, c.months, got, c.want)
		}
	}
	// 2026-06-19 is a Friday.
	for end, want := range map[Date]int{"2026-06-19": 0, "2026-06-21": 0, "2026-06-22": 1, "2026-06-26": 5, "2026-06-30": 7, "2026-06-01": 0} {
		if got := Date("2026-06-19").weekdaysUntil(end); got != want {
			t.Errorf("working days until %s: %d, want %d", end, got, want)
		}
	}
	for in, want := range map[string]Date{
		"46140": "2026-04-28", "2026 年 4 月 28 日": "2026-04-28", "2026-4-28 09:30:00": "2026-04-28",
		"20260428000000": "2026-04-28", "461401": "", "46140x": "", "2026/4": "", "28/4/2026": "", "99999": "", "2026-04-28 foo": "",
		"二〇一九年十二月三十一日": "2019-12-31", "二零二六年十月十日 星期六": "2026-10-10", "二〇二六年十十月一日": "", "二六年一月一日": "", "十日": "",
	} {
		if got, ok := ParseDate(in); got != want || ok != (want != "") {
			t.Errorf("%s: %s %v, want %s", in, got, ok, want)
		}
	}
	if got, _, _ := parseDate("44678", true); got != "2026-04-28" {
		t.Errorf("1904 serial: %s", got)
	}
}
