// Package ident checks and normalises the identifiers that credit records
// carry: unified social credit codes (GB 32100), organisation codes
// (GB 11714), citizen identity numbers (GB 11643), business registration
// numbers (ISO 7064 MOD 11,10), region codes (GB/T 2260), licence plates and
// decision numbers.
//
// A check function takes the identifier in its one wire spelling and returns
// an error that never contains the value, because many of these values are
// personal. Turning what a clerk typed into the wire spelling is the work of
// the Fold, Visible and Normal functions; none of them ever guesses a digit.
package ident

import "errors"

// The reasons for which an identifier is refused.
var (
	ErrLength    = errors.New("ident: wrong length")
	ErrCharset   = errors.New("ident: character outside the code's alphabet")
	ErrCheckChar = errors.New("ident: check character does not match")
	ErrForm      = errors.New("ident: not in the prescribed form")
	ErrSentinel  = errors.New("ident: placeholder, not a code")
)
