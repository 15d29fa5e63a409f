package register

import "github.com/xinqiao/creditgw/schemas"

// Memory holds both registers in maps. It is filled first and only read
// afterwards, or guarded by its owner.
type Memory struct {
	firms       map[string]schemas.Firm
	authorities map[authorityKey]schemas.Authority
}

type authorityKey struct{ region, uscc string }

var _ schemas.Registers = (*Memory)(nil)

// NewMemory returns empty registers.
func NewMemory() *Memory {
	return &Memory{firms: make(map[string]schemas.Firm), authorities: make(map[authorityKey]schemas.Authority)}
}

// PutFirm adds a firm or replaces the one with its code.
func (m *Memory) PutFirm(f schemas.Firm) error {
	m.firms[f.USCC] = f
	return nil
}

// PutAuthority adds an authority or replaces the one with its code.
func (m *Memory) PutAuthority(a schemas.Authority) error {
	m.authorities[authorityKey{a.Region, a.USCC}] = a
	return nil
}

// Firm finds a firm by its code.
func (m *Memory) Firm(uscc string) (schemas.Firm, bool) {
	f, ok := m.firms[uscc]
	return f, ok
}

// Authority finds an authority in a region's register.
func (m *Memory) Authority(region, uscc string) (schemas.Authority, bool) {
	a, ok := m.authorities[authorityKey{region, uscc}]
	return a, ok
}
