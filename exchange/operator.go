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
	if err := s.require(p, RoleOperator); err != nil {
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

// RegisterKey puts an agency's public key into the replicated directory. It is
// in force once its entry is on the ledger.
func (s *Service) RegisterKey(ctx context.Context, p Principal, uscc, name, label string, public []byte) (EntryID, error) {
	if err := s.require(p, RoleOperator); err != nil {
		return EntryID{}, err
	}
	if ident.CheckUSCC(uscc) != nil {
		return EntryID{}, Fail(KindInvalid, "USCC_CHECK", "统一社会信用代码校验不通过，请核对后重试", "the unified social credit code fails its check")
	}
	key, err := sm.ParsePublic[sm.Agency](public)
	if err != nil {
		return EntryID{}, Fail(KindInvalid, "PUBLIC_KEY", "公钥应为曲线上的 65 字节未压缩点", "the public key must be an uncompressed point of 65 bytes on the curve")
	}
	id := key.ID()
	if k, ok := s.agencyKey(uscc, id); ok && k.Until == 0 {
		return EntryID{}, Fail(KindConflict, "KEY_EXISTS", "该公钥已登记", "this key is registered already")
	}
	body, err := peers.EncodeAgencyKey(uscc, name, label, key)
	if err != nil {
		return EntryID{}, Fail(KindInvalid, "AGENCY_KEY", "名称或标签过长", "name or label is too long")
	}
	return s.govern(ctx, KindAgencyKey, body)
}

// RetireKey ends a key from its entry's place on the ledger on; what it signed
// before stays valid.
func (s *Service) RetireKey(ctx context.Context, p Principal, uscc string, key sm.KeyID) (EntryID, error) {
	if err := s.require(p, RoleOperator); err != nil {
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
// body and the ledger's size, so that a key can be registered again after it
// was retired.
func (s *Service) govern(ctx context.Context, kind string, body []byte) (EntryID, error) {
	size := s.Ledger.Head().Size
	id := s.Sealer.Secret.EntryID(kind, body, uint32(size))
	entry, err := s.Sealer.Clear(kind, id, s.Clock(), body)
	if err != nil {
		return id, err
	}
	return id, s.append(ctx, Event{At: s.Clock(), Authored: &EntryAuthored{Entry: entry}})
}
