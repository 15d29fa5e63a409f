package schemas

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// Key is the natural key of a penalty: at most one live record has it. For a
// natural person it holds an identity number, so it is kept only digested or
// under the region's own encryption.
type Key struct {
	Authority  string // USCC of the deciding authority
	DecisionNo string // normalised
	Subject    string // "uscc:…", "person:type:number" or "name:…"
}

// Bytes returns the key's one byte form: each part behind its length as two
// big-endian bytes.
func (k Key) Bytes() []byte {
	var out []byte
	for _, part := range []string{k.Authority, k.DecisionNo, k.Subject} {
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return out
}

// Content is the canonical form of what a row says under its key: the
// national fields, normalised but not masked, without 备注 and 数据来源单位.
// Equal bytes are a duplicate, other bytes a conflict. It holds personal data.
type Content []byte

// errContent is returned for bytes that no check has made.
var errContent = errors.New("schemas: malformed comparison content")

// DiffContent names the fields in which two contents differ, in the order of
// the national form.
func DiffContent(a, b Content) ([]string, error) {
	var left, right []string
	if err := strictDecoding.Unmarshal(a, &left); err != nil {
		return nil, errContent
	}
	if err := strictDecoding.Unmarshal(b, &right); err != nil {
		return nil, errContent
	}
	if len(left) != len(comparedFields) || len(right) != len(comparedFields) {
		return nil, errContent
	}
	var differing []string
	for i, code := range comparedFields {
		if left[i] != right[i] {
			differing = append(differing, code)
		}
	}
	return differing, nil
}

// DiffRecords names the fields, of those that Content holds, in which two shared
// records differ. It sees less than DiffContent: identity numbers are in no record,
// and what is masked in a text reads alike.
func (k *Kind) DiffRecords(a, b *Penalty) []string {
	left, right := k.compared(a), k.compared(b)
	var differing []string
	for _, code := range comparedFields {
		if left[code] != right[code] {
			differing = append(differing, code)
		}
	}
	return differing
}

// compared are a record's values by national code.
func (k *Kind) compared(p *Penalty) map[string]string {
	values := map[string]string{
		"CF_CFLB":    strings.Join(p.PenaltyTypes, ";"),
		"CF_NR_FK":   formatWan(p.FineFen),
		"CF_NR_WFFF": formatWan(p.ConfiscatedFen),
	}
	d := k.dictionary
	for _, t := range p.texts() {
		values[d.Fields[d.names[t.name]].Code] = t.text
	}
	return values
}

// comparedFields are the national fields that Content holds, in its order.
var comparedFields = []string{
	"CF_XDR_MC", "CF_XDR_LB", "CF_XDR_SHXYM", "CF_XDR_GSZC", "CF_XDR_ZZJG", "CF_XDR_SWDJ", "CF_XDR_SYDW",
	"CF_XDR_SHZZ", "CF_FRDB", "CF_FR_ZJLX", "CF_FR_ZJHM", "CF_XDR_ZJLX", "CF_XDR_ZJHM", "CF_WSH", "CF_WFXW",
	"CF_WFSS", "CF_CFYJ", "CF_CFLB", "CF_NR", "CF_NR_FK", "CF_NR_WFFF", "CF_NR_ZKDX", "CF_JDRQ", "CF_YXQ",
	"CF_CFJG", "CF_CFJGDM", "CF_GSJZQ", "CF_SJLYDM",
}

// RowContent returns the bytes by which a bad row that is sent again is known
// to be the same: its fields, whatever line they now stand on. Columns that
// are not collected don't count.
func RowContent(row Row) []byte {
	cells := slices.DeleteFunc(slices.Clone(row.Cells), func(c Cell) bool { return c.Field == "" })
	slices.SortStableFunc(cells, func(a, b Cell) int { return strings.Compare(a.Field, b.Field) })
	var out []byte
	for _, c := range cells {
		for _, part := range []string{c.Field, c.Value} {
			out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
			out = append(out, part...)
		}
	}
	return out
}

// EncodeRow returns a row as the quarantine keeps it.
func EncodeRow(row Row) ([]byte, error) { return detcbor.Marshal(row) }

// DecodeRow reads what EncodeRow wrote.
func DecodeRow(raw []byte) (Row, error) {
	var row Row
	err := strictDecoding.Unmarshal(raw, &row)
	return row, err
}
