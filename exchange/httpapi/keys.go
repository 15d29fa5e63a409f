package httpapi

import (
	"net/http"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// addKey answers 202: the key is in force once its entry is on the ledger,
// from the place that the list then names.
func (a *API) addKey(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	uscc, err := pathUSCC(r)
	if err != nil {
		return err
	}
	key, err := readJSON[NewKey](r)
	if err != nil {
		return err
	}
	public, err := sm.ParsePublic[sm.Agency](key.Public)
	if err != nil {
		return invalid("PUBLIC_KEY", "public_key 应为曲线上 65 字节未压缩点的 base64", "public_key must be the base64 of an uncompressed point of 65 bytes on the curve")
	}
	entry, err := a.Service.RegisterKey(r.Context(), p, peers.AgencyClaim{
		USCC: uscc, Name: key.Name, Label: key.Label, Key: public, Proof: key.Proof,
	})
	if err != nil {
		return err
	}
	return reply(w, http.StatusAccepted, KeyEntry{Entry: entry, KeyID: public.ID(), LedgerSize: a.Ledger.Head().Size})
}

func (a *API) retireKey(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	uscc, err := pathUSCC(r)
	if err != nil {
		return err
	}
	var id sm.KeyID
	if id.UnmarshalText([]byte(r.PathValue("id"))) != nil {
		return badParameter("id", " 32 位小写十六进制", "32 lower-case hexadecimal digits")
	}
	entry, err := a.Service.RetireKey(r.Context(), p, uscc, id)
	if err != nil {
		return err
	}
	return reply(w, http.StatusAccepted, KeyEntry{Entry: entry, KeyID: id, LedgerSize: a.Ledger.Head().Size})
}

func (a *API) keys(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	uscc, err := pathUSCC(r)
	if err != nil {
		return err
	}
	out := Page[AgencyKey]{Items: []AgencyKey{}, LedgerSize: a.Ledger.Head().Size}
	for _, k := range a.Service.AgencyKeys(uscc) {
		out.Items = append(out.Items, agencyKey(&k))
	}
	return reply(w, http.StatusOK, out)
}

func agencyKey(k *peers.AgencyKey) AgencyKey {
	return AgencyKey{
		KeyID: k.Public.ID(), Region: k.Region, USCC: k.USCC, Name: k.Name, Label: k.Label,
		Public: k.Public.Bytes(), From: k.From, Until: k.Until,
	}
}
