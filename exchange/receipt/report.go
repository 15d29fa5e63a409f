package receipt

import (
	"fmt"
	"strings"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Final says whether the receipt is all the proof there will ever be of its
// entry: witnessed, or the ticket of a home record.
func (v *Verdict) Final() bool {
	return v.State == Witnessed || v.State == Ticket && v.home()
}

// home says whether the entry never reaches the shared ledger.
func (v *Verdict) home() bool {
	return v.Header.Class == exchange.ClassRecord && len(v.Header.Recipients) == 0
}

// Proven lists what follows from the checks, for people.
func (v *Verdict) Proven() []schemas.Text {
	h := &v.Header
	claimed := said("地区 %[1]s 签署了条目 %[2]s（%[3]s），自称时间 %[4]s",
		"region %[1]s signed entry %[2]s (%[3]s), claimed at %[4]s", h.Origin, h.ID, h.Kind, clock(h.IssuedAt))
	if v.State == Ticket {
		claimed = said("地区 %[1]s 承认已受理条目 %[2]s（%[3]s），自称时间 %[4]s",
			"region %[1]s says that it took entry %[2]s in (%[3]s), claimed at %[4]s", h.Origin, h.ID, h.Kind, clock(h.IssuedAt))
	}
	out := []schemas.Text{claimed}
	if v.State == Witnessed {
		zh, en := named(v.Witnesses)
		out = append(out, said("它在共享账本上的序号是 %[1]d，%[4]d 个地区中的 %[2]s 见过同一账本",
			"it is entry %[1]d of the shared ledger, and of %[4]d regions %[3]s saw the same ledger", v.Index, zh, en, v.Of), v.when())
	}
	return append(out, v.authored()...)
}

// authored says what the author block shows, and no more: a file that an agency
// has signed shows nothing of its rows.
func (v *Verdict) authored() []schemas.Text {
	a := v.Author
	switch {
	case a == nil:
		return nil
	case a.Kind == exchange.AuthorAgency:
		return []schemas.Text{said("所附内容就是条目当时的内容，由单位 %s 自己签名", "the content shown is the entry's content, signed by agency %s itself", a.Agency)}
	case a.File == nil:
		return []schemas.Text{said("所附内容就是条目当时的内容，出自地区 %s 本身", "the content shown is the entry's content, region %s's own word", v.Header.Origin)}
	}
	out := []schemas.Text{said("所附内容就是条目当时的内容；地区 %[1]s 称其为单位 %[2]s 文件（SM3 %[4]s）的第 %[3]d 行",
		"the content shown is the entry's content; region %[1]s says that it is row %[3]d of agency %[2]s's file with SM3 %[4]s",
		v.Header.Origin, a.Agency, a.Row, a.File)}
	if v.fileSigned() {
		out = append(out, said("单位 %s 签署了这个文件", "agency %s signed that file", a.Agency))
	}
	return out
}

// fileSigned says whether an agency's signature over the file was verified: its key
// can be shown of witnessed entries only.
func (v *Verdict) fileSigned() bool {
	return v.Author.Kind == exchange.AuthorRegion && v.Author.Key != nil && v.State == Witnessed
}

func (v *Verdict) when() schemas.Text {
	if v.After == 0 {
		return said("见证时间：不晚于 %s", "witnessed: not later than %s", clock(v.By))
	}
	return said("入账时间：在两次见证之间，%[1]s 至 %[2]s", "on the ledger between witnessed times %[1]s and %[2]s", clock(v.After), clock(v.By))
}

// NotProven lists what somebody might take a receipt for and must not.
func (v *Verdict) NotProven() []schemas.Text {
	var out []schemas.Text
	switch {
	case v.State == Provisional:
		out = append(out, said("条目已在共享账本上：凭证是暂时的，请在见证后重新取得", "that the entry is on the shared ledger: the receipt is provisional; get another once it is witnessed"))
	case v.State == Ticket && v.home():
		out = append(out, said("本地记录不上共享账本，除该地区自己的签名外没有别的证明", "a home record is not on the shared ledger: the region's own signature is all there is"))
	case v.State == Ticket:
		out = append(out, said("条目会出现在共享账本上：凭证是暂时的。若始终没有出现，本回执是对该地区的证据", "that the entry gets onto the shared ledger: the receipt is provisional. If it never does, this ticket is evidence against the region"))
	}
	if v.Doubtful {
		out = append(out, said("签名出自该地区本身：其密钥后来被撤销，本条目在存疑期间内", "that the region itself signed: its key was revoked later, and this entry lies in the time that is in doubt"))
	}
	if v.AuthorDoubtful {
		out = append(out, said("单位本身签了字：其密钥后来被撤销，本条目在存疑期间内", "that the agency itself signed: its key was revoked later, and this entry lies in the time that is in doubt"))
	}
	switch {
	case v.Author == nil:
		out = append(out, said("条目的内容：凭证未附内容", "what the entry says: its content is not part of this receipt"))
	case v.Author.Kind == exchange.AuthorAgency || v.Author.File == nil:
	case v.fileSigned():
		out = append(out, said("内容确是该文件的这一行：文件未附，由地区担保；持有文件的人可以核对",
			"that the content is what stands in that row: the file is not shown, the region vouches for it; whoever has the file can look"))
	default:
		out = append(out, said("单位自己签了字：内容出自单位的文件，由地区担保", "that the agency itself signed: the region vouches for the agency's file"))
	}
	return append(out,
		said("决定本身正确；自称的时间属实", "that the decision is right, or the claimed time true"),
		said("记录至今有效：之后的更正、撤回、修复另有条目", "that the record still stands: a correction, withdrawal or repair after it is an entry of its own"))
}

// named lists regions as each language does.
func named(regions []peers.Region) (zh, en string) {
	codes := make([]string, len(regions))
	for i, r := range regions {
		codes[i] = string(r)
	}
	return strings.Join(codes, "、"), strings.Join(codes, ", ")
}

func said(zh, en string, args ...any) schemas.Text {
	return schemas.Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)}
}

func clock(seconds int64) string {
	return exchange.Moment(seconds).Format("2006-01-02 15:04:05 -07:00")
}
