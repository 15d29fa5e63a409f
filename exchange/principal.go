package exchange

import "slices"

// Role of a token: docs/trust.md says what each may do.
type Role string

const (
	RoleAgencyEntry  Role = "agency-entry"
	RoleAgencyReview Role = "agency-review"
	RoleWindow       Role = "window"
	RoleDecider      Role = "decider"
	RoleTreasury     Role = "treasury"
	RolePlatform     Role = "platform"
	RoleApp          Role = "app"
	RoleOperator     Role = "operator"
	RoleAuditor      Role = "auditor"
	RoleSysadmin     Role = "sysadmin"
	RoleSecadmin     Role = "secadmin"
	RoleAuditAdmin   Role = "audit-admin"
)

// Roles lists every role, in the order of CONTRACT.
var Roles = []Role{RoleAgencyEntry, RoleAgencyReview, RoleWindow, RoleDecider, RoleTreasury, RolePlatform,
	RoleApp, RoleOperator, RoleAuditor, RoleSysadmin, RoleSecadmin, RoleAuditAdmin}

// Scope bounds an agency's token.
type Scope struct {
	Units       []string `json:"units,omitempty"`       // USCC the token submits for; the first is the submitter
	Authorities []string `json:"authorities,omitempty"` // permitted 处罚机关; empty: the region's register
	Sources     []string `json:"sources,omitempty"`     // permitted 数据来源单位, besides the units
}

// Principal is who calls: the answer to a token.
type Principal struct {
	ID    string // token id, safe to log
	Role  Role
	Scope Scope
}

// Is reports whether the principal has one of the roles.
func (p Principal) Is(roles ...Role) bool { return slices.Contains(roles, p.Role) }

// Submitter is the USCC the principal submits as.
func (p Principal) Submitter() string {
	if len(p.Scope.Units) == 0 {
		return ""
	}
	return p.Scope.Units[0]
}
