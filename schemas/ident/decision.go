package ident

import (
	"regexp"
)

// openers and closers are the brackets found round the year of a decision
// number. The prescribed ones are 〔 and 〕.
const (
	openers = `\[\(【〖﹝〔〈<\{「『《`
	closers = `\]\)】〗﹞〕〉>\}」』》`
)

var (
	yearBrackets = regexp.MustCompile(`[` + openers + `]((?:19|20)\d{2})[` + closers + `]`)
	decisionForm = regexp.MustCompile(`^.{1,60}〔(?:19|20)\d{2}〕.{0,20}?\d+(?:-\d+)?号$`)
)

// NormalDecisionNo returns the one spelling under which decision numbers are
// compared. The input is already folded and compact. Only the brackets round
// the year are made 〔〕; others, such as those of (罚), are part of the name.
func NormalDecisionNo(s string) string {
	return yearBrackets.ReplaceAllString(s, "〔$1〕")
}

// DecisionNoForm reports whether a normalised decision number has the usual
// form, agency mark 〔year〕 serial 号. Numbers of another form are lawful.
func DecisionNoForm(s string) bool {
	return decisionForm.MatchString(s)
}
