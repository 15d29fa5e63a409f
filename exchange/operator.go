package exchange

import (
	"context"
	"slices"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/ident"
)

// registerStep bounds one event of a register import.
const registerStep = 2000

// ImportFirms adds or replaces firms of the register, by USCC.
func (s *Service) ImportFirms(ctx context.Context, p Principal, firms []schemas.Firm) error {
	return importRegister(ctx, s, p, firms, func(run []schemas.Firm) *RegisterChanged {
		return &RegisterChanged{Register: RegisterFirms, Firms: run}
	})
}

// ImportAuthorities adds or replaces authorities of the register, by region
// and USCC.
func (s *Service) ImportAuthorities(ctx context.Context, p Principal, authorities []schemas.Authority) error {
	return importRegister(ctx, s, p, authorities, func(run []schemas.Authority) *RegisterChanged {
		return &RegisterChanged{Register: RegisterAuthorities, Authorities: run}
	})
}

// importRegister writes rows of a register, a run of them an event.
func importRegister[T any](ctx context.Context, s *Service, p Principal, rows []T, change func([]T) *RegisterChanged) error {
	if err := p.Require(RoleOperator); err != nil {
		return err
	}
	var events []Event
	for run := range slices.Chunk(rows, registerStep) {
		events = append(events, Event{At: s.Clock(), Register: change(run)})
	}
	return s.appendEach(ctx, events)
}

// appendEach writes events one by one, for together they could pass the
// journal's limit, and waits once.
func (s *Service) appendEach(ctx context.Context, events []Event) error {
	var last Position
	for _, e := range events {
		at, err := s.Journal.Append(ctx, e)
		if err != nil {
			return err
		}
		last = at
	}
	return s.Casebook.WaitFor(ctx, last)
}

// RegisterKey puts an agency's key into the replicated directory, as the agency
// claims it towards this region. It is in force once its entry is on the ledger.
func (s *Service) RegisterKey(ctx context.Context, p Principal, c peers.AgencyClaim) (EntryID, error) {
	if err := p.Require(RoleOperator); err != nil {
		return EntryID{}, err
	}
	if ident.CheckUSCC(c.USCC) != nil {
		return EntryID{}, Fail(KindInvalid, "USCC_CHECK", "统一社会信用代码校验不通过，请核对后重试", "the unified social credit code fails its check")
	}
	c.Region = s.Region
	body, err := c.Encode()
	if err != nil {
		return EntryID{}, Fail(KindInvalid, "AGENCY_KEY", "名称、标签或持有证明的格式不对", "name, label or proof is malformed: "+err.Error())
	}
	if !c.Proven(s.Sealer.Ledger) {
		return EntryID{}, Fail(KindInvalid, peers.CodeProof,
			"持有证明不成立：公钥没有为本账本、本地区和这些内容签名，请单位用 creditctl agency prove 重新生成",
			"the proof does not hold: the key has not signed these very values for this region and ledger; the agency makes another with creditctl agency prove")
	}
	return s.decide(ctx, KindAgencyKey, body)
}

// RetireKey ends a key from its entry's place on the ledger on; what it signed
// before stays valid.
func (s *Service) RetireKey(ctx context.Context, p Principal, uscc string, key sm.KeyID) (EntryID, error) {
	if err := p.Require(RoleOperator); err != nil {
		return EntryID{}, err
	}
	if k, ok := s.agencyKey(uscc, key); !ok || k.Until != 0 {
		return EntryID{}, Fail(KindNotFound, "KEY_UNKNOWN", "没有在用的这把公钥", "no such key is in force")
	}
	body, err := peers.EncodeAgencyKeyRetire(uscc, key)
	if err != nil {
		return EntryID{}, err
	}
	return s.govern(ctx, KindAgencyKeyRetire, body)
}

// AgencyKeys lists the region's agency keys, retired ones included.
func (s *Service) AgencyKeys(uscc string) []peers.AgencyKey {
	var out []peers.AgencyKey
	for _, k := range s.Ledger.Directory().AgencyKeys(s.Region) {
		if k.USCC == uscc {
			out = append(out, k)
		}
	}
	return out
}

func (s *Service) agencyKey(uscc string, id sm.KeyID) (peers.AgencyKey, bool) {
	for _, k := range s.AgencyKeys(uscc) {
		if k.Public.ID() == id {
			return k, true
		}
	}
	return peers.AgencyKey{}, false
}

// govern authors a governance entry of this region. Its natural key is its
// body and the ledger's size, so that what was refused once can be said again.
func (s *Service) govern(ctx context.Context, kind string, body []byte) (EntryID, error) {
	size := s.Ledger.Head().Size
	id := s.Sealer.Secret.EntryID(kind, body, uint32(size))
	entry, err := s.Sealer.Clear(kind, id, s.Clock(), body)
	if err != nil {
		return id, err
	}
	return id, s.append(ctx, Event{At: s.Clock(), Authored: &EntryAuthored{Entry: entry}})
}
