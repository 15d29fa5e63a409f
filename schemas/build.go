package schemas

import (
	"strings"

	"github.com/xinqiao/creditgw/schemas/detcbor"
	"github.com/xinqiao/creditgw/schemas/ident"
)

// record builds the shared record from the normalised values: texts masked,
// fields that stay left out. The sentinel is no code and is left out too.
func (j *judged) record() *Penalty {
	masked := func(code string) string {
		s, _ := maskPersonal(j.text(code))
		return s
	}
	p := &Penalty{
		Version:              1,
		SubjectName:          j.text("CF_XDR_MC"),
		SubjectCategory:      j.text("CF_XDR_LB"),
		SubjectBizRegNo:      j.text("CF_XDR_GSZC"),
		SubjectOrgCode:       j.text("CF_XDR_ZZJG"),
		SubjectTaxNo:         j.text("CF_XDR_SWDJ"),
		SubjectInstitutionNo: j.text("CF_XDR_SYDW"),
		SubjectSocialOrgNo:   j.text("CF_XDR_SHZZ"),
		LegalRepresentative:  j.text("CF_FRDB"),
		LegalRepIDType:       j.text("CF_FR_ZJLX"),
		SubjectIDType:        j.text("CF_XDR_ZJLX"),
		DecisionNo:           j.text("CF_WSH"),
		ViolationType:        masked("CF_WFXW"),
		ViolationFacts:       masked("CF_WFSS"),
		LegalBasis:           masked("CF_CFYJ"),
		PenaltyTypes:         j.types,
		PenaltyContent:       masked("CF_NR"),
		FineFen:              j.at("CF_NR_FK").fen,
		ConfiscatedFen:       j.at("CF_NR_WFFF").fen,
		RevokedLicence:       masked("CF_NR_ZKDX"),
		DecisionDate:         j.at("CF_JDRQ").date,
		ValidUntil:           j.at("CF_YXQ").date,
		AuthorityName:        j.text("CF_CFJG"),
		AuthorityUSCC:        j.text("CF_CFJGDM"),
		PublicationUntil:     j.at("CF_GSJZQ").date,
		SourceName:           j.text("CF_SJLY"),
		SourceUSCC:           j.text("CF_SJLYDM"),
		Remark:               masked("BZ"),
		ServedDate:           j.at("送达日期").date,
		PaymentCode:          j.text("缴款识别码"),
		Plates:               j.plates(),
		DishonestyClass:      j.text("失信程度"),
	}
	if uscc := j.text("CF_XDR_SHXYM"); uscc != ident.SentinelUSCC {
		p.SubjectUSCC = uscc
	}
	return p
}

// plates pairs the plates of a cell with their colours. A single colour is
// that of all; colours that don't pair up are left out.
func (j *judged) plates() []Plate {
	var plates []Plate
	for _, number := range ident.SplitPlates(j.text("车牌号码")) {
		plates = append(plates, Plate{Number: number})
	}
	v := j.at("车牌颜色")
	if v.text == "" || v.spoilt {
		return plates
	}
	named := strings.Split(v.text, ";")
	for i := range plates {
		switch len(named) {
		case 1:
			plates[i].Colour = named[0]
		case len(plates):
			plates[i].Colour = named[i]
		}
	}
	return plates
}

// colours counts the colours in a normalised list.
func colours(list string) int {
	if list == "" {
		return 0
	}
	return strings.Count(list, ";") + 1
}

// key builds the natural key. Persons are told apart by their document, so
// that a driver and his firm may share one decision number.
func (j *judged) key() Key {
	k := Key{Authority: j.text("CF_CFJGDM"), DecisionNo: j.text("CF_WSH")}
	uscc := j.text("CF_XDR_SHXYM")
	switch {
	case j.text("CF_XDR_LB") == naturalPerson && j.text("CF_XDR_ZJHM") != "":
		k.Subject = "person:" + j.text("CF_XDR_ZJLX") + ":" + j.text("CF_XDR_ZJHM")
	case uscc != "" && uscc != ident.SentinelUSCC:
		k.Subject = "uscc:" + uscc
	default:
		k.Subject = "name:" + nameKey(j.text("CF_XDR_MC")) + ":" + j.text("CF_XDR_GSZC")
	}
	return k
}

// content builds the bytes that tell a duplicate from a conflict.
func (j *judged) content() Content {
	fields := make([]string, len(comparedFields))
	for i, code := range comparedFields {
		v := j.at(code)
		switch v.field.Type {
		case DateType:
			fields[i] = string(v.date)
		case MoneyType:
			if v.fen != 0 {
				fields[i] = formatWan(v.fen)
			}
		default:
			fields[i] = v.text
		}
	}
	raw, err := detcbor.Marshal(fields)
	if err != nil {
		return nil
	}
	return raw
}
