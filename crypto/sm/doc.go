// Package sm is the only door of the gateway to the Chinese commercial
// algorithms: SM2 (GB/T 32918), SM3 (GB/T 32905) and SM4 (GB/T 32907).
//
// Keys of different purposes are different types, so that a batch key cannot
// sign what a witness must sign: the compiler refuses it, and a key file names
// the role it was made for. Every signature covers a purpose label and the
// ledger id, so that a signature given for one purpose, or on one ledger, is
// worth nothing elsewhere.
//
// Outside bytes are checked here before any library sees them: sizes, strict
// DER, points on the curve, private scalars in [1, n-2], the cost of a key
// file. No input makes the package panic. Secret values never print.
package sm
