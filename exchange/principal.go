package exchange

import (
	"slices"
	"strings"
)

// Role of a token: docs/api.md says what each may do.
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

// Require refuses a principal that has none of the roles, and says which they
// are.
func (p Principal) Require(roles ...Role) error {
	if p.Is(roles...) {
		return nil
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	e := Fail(KindForbidden, "ROLE", "此令牌的角色不能这样做", "this token's role may not do this")
	e.Hint.ZH, e.Hint.EN = "角色应为 "+strings.Join(names, "、"), "it takes the role "+strings.Join(names, " or ")
	return e
}

// Submitter is the USCC the principal submits as.
func (p Principal) Submitter() string {
	if len(p.Scope.Units) == 0 {
		return ""
	}
	return p.Scope.Units[0]
}
