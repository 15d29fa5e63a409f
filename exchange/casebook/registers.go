package casebook

import (
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

func (f *fold) register(r *exchange.RegisterChanged) {
	f.work += len(r.Firms) + len(r.Authorities) + len(r.Sources)
	for _, firm := range r.Firms {
		f.put(f.b.firms, []byte(firm.USCC), firm)
	}
	for _, a := range r.Authorities {
		f.put(f.b.authorities, authorityKey(a.Region, a.USCC), a)
	}
	for _, s := range r.Sources {
		f.planned(s)
	}
}

func authorityKey(region, uscc string) []byte { return []byte(region + "/" + uscc) }

// registers answers from the state of the file at each look-up.
type registers struct{ c *Casebook }

// Registers gives the firm and authority registers as folded so far.
func (c *Casebook) Registers() schemas.Registers { return registers{c} }

func (r registers) Firm(uscc string) (firm schemas.Firm, ok bool) {
	err := r.c.view(func(b buckets) (err error) {
		firm, ok, err = get[schemas.Firm](b.firms, []byte(uscc))
		return err
	})
	return firm, ok && err == nil
}

func (r registers) Authority(region, uscc string) (a schemas.Authority, ok bool) {
	err := r.c.view(func(b buckets) (err error) {
		a, ok, err = get[schemas.Authority](b.authorities, authorityKey(region, uscc))
		return err
	})
	return a, ok && err == nil
}
