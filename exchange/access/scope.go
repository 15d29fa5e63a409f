package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas/ident"
)

// What a grant can be wrong in.
var (
	ErrRole   = errors.New("unknown role")
	ErrScope  = errors.New("scope does not fit")
	ErrLabel  = errors.New("label does not fit")
	ErrTerm   = errors.New("lifetime does not fit")
	ErrDuties = errors.New("nobody may hold two of sysadmin, secadmin and audit-admin")
)

const maxScope = 1000 // codes of one kind

// ParseScope reads "unit=USCC,authority=USCC,source=USCC" from each of texts
// and joins them. The first unit is the submitter.
func ParseScope(texts []string) (exchange.Scope, error) {
	var scope exchange.Scope
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			key, code, ok := strings.Cut(strings.TrimSpace(part), "=")
			var list *[]string
			switch key {
			case "unit":
				list = &scope.Units
			case "authority":
				list = &scope.Authorities
			case "source":
				list = &scope.Sources
			}
			if !ok || list == nil {
				return exchange.Scope{}, fmt.Errorf("%w: %q is not unit=, authority= or source= with a code", ErrScope, part)
			}
			if !slices.Contains(*list, code) {
				*list = append(*list, code)
			}
		}
	}
	return scope, checkScope(scope)
}

func checkScope(scope exchange.Scope) error {
	for _, codes := range [][]string{scope.Units, scope.Authorities, scope.Sources} {
		if len(codes) > maxScope {
			return fmt.Errorf("%w: more than %d codes", ErrScope, maxScope)
		}
		for _, code := range codes {
			if err := ident.CheckUSCC(code); err != nil {
				return fmt.Errorf("%w: %q is not a unified social credit code: %w", ErrScope, code, err)
			}
		}
	}
	return nil
}

// checkGrant holds what is true of every token, new or read. Only an agency's
// token has a scope: elsewhere it would promise a bound that nobody checks.
func checkGrant(role exchange.Role, scope exchange.Scope, label string) error {
	if !slices.Contains(exchange.Roles, role) {
		return fmt.Errorf("%w %q", ErrRole, role)
	}
	agency := role == exchange.RoleAgencyEntry || role == exchange.RoleAgencyReview
	scoped := len(scope.Units)+len(scope.Authorities)+len(scope.Sources) > 0
	switch {
	case agency && len(scope.Units) == 0:
		return fmt.Errorf("%w: %s needs a unit to submit for", ErrScope, role)
	case !agency && scoped:
		return fmt.Errorf("%w: %s takes none", ErrScope, role)
	case len(label) > maxLabel || !utf8.ValidString(label) || strings.ContainsFunc(label, isControl):
		return fmt.Errorf("%w: at most %d bytes of printable text", ErrLabel, maxLabel)
	case slices.Contains(administrators, role) && strings.TrimSpace(label) == "":
		return fmt.Errorf("%w: %s must name its holder", ErrLabel, role)
	}
	return checkScope(scope)
}

func isControl(r rune) bool { return !unicode.IsPrint(r) }
