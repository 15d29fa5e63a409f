package schemas

import (
	"bytes"
	"testing"
)

func FuzzDecodePenalty(f *testing.F) {
	f.Add(goodRecord(f))
	f.Add([]byte{0xa0})
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		requireOneVerdict(t, raw)
		p, err := DecodePenalty(raw)
		if err != nil {
			return
		}
		again, err := p.Encode()
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("decoded bytes encode differently: %v", err)
		}
	})
}

func FuzzDecodeRow(f *testing.F) {
	raw, err := EncodeRow(goodRow())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if row, err := DecodeRow(raw); err == nil {
			check(row)
		}
	})
}

func FuzzDiffContent(f *testing.F) {
	content := check(goodRow()).Content
	f.Add([]byte(content), []byte(content))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		fields, err := DiffContent(a, b)
		if err == nil && bytes.Equal(a, b) && len(fields) != 0 {
			t.Errorf("equal contents differ in %v", fields)
		}
	})
}

// FuzzCheck puts any text into any two fields. An accepted row must give a
// record that passes at the recipient, and holds no identity number.
func FuzzCheck(f *testing.F) {
	f.Add("CF_NR", "罚款2,000.00元", "CF_NR_FK", "0.2")
	f.Add("CF_XDR_LB", "自然人", "CF_XDR_ZJHM", "11010519491231002X")
	f.Add("CF_JDRQ", "2026年6月24日", "车牌号码", "冀B12345/冀B1234挂")
	f.Add("CF_CFLB", "其他-1;罚款", "BZ", "11010519491231002X")
	f.Fuzz(func(t *testing.T, field1, value1, field2, value2 string) {
		o := check(goodRow(field1+"="+value1, field2+"="+value2))
		if o.State != Accepted {
			if o.Rule == "" || len(o.Findings) == 0 {
				t.Error("refused without a reason")
			}
			return
		}
		raw, err := o.Record.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := bySchema(raw); err != nil {
			t.Errorf("an accepted row's record: %v", err)
		}
		requireOneVerdict(t, raw)
	})
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"0.2", "1,000.5", "2E-1", "¥2000元", "0.28999999999999998"} {
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, yuan bool) {
		if a, err := parseAmount(s, yuan); err == nil && a.fen < 0 {
			t.Errorf("%q is %d fen", s, a.fen)
		}
		for _, a := range readAmounts(s) {
			if a.fen < 0 {
				t.Errorf("%q reads as %d fen", s, a.fen)
			}
		}
		maskPersonal(s)
		parseDate(s, yuan)
	})
}
