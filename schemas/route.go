package schemas

import "github.com/xinqiao/creditgw/schemas/ident"

// route finds the region that a record concerns: by the firm register first,
// by the region in the code as a flagged fallback, and never by a guess.
func (j *judged) route() {
	v := j.at("CF_XDR_SHXYM")
	r := &j.out.Route
	r.Local = true
	if j.text("CF_XDR_LB") == naturalPerson || v.text == "" || v.text == ident.SentinelUSCC {
		return
	}
	r.Subject = v.text
	if firm, ok := j.firm(); ok && firm.HomeRegion != "" {
		r.Home = firm.HomeRegion
	} else if home, ok := ident.Province(ident.RegistrarRegion(v.text)); ok {
		r.Home = home
		j.flag(RouteByCode, v)
	}
	switch {
	case r.Home == "":
		j.flag(RouteUnknown, v)
	case !j.env.Members[r.Home]:
		j.flag(RouteNotMember, v)
	default:
		r.Remind = true
		r.Local = r.Home == j.env.Region
	}
}

func (j *judged) flag(rule Code, v *value) {
	j.find(rule, v)
	j.out.Route.Flags = append(j.out.Route.Flags, rule)
}
