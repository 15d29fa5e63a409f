// Package command is what the two command lines have in common: they speak
// Chinese or English, tell errors with a hint, ask for passphrases, and end with
// the same codes.
//
// Exit status: 0 done, 1 rows were quarantined or the thing is not valid,
// 2 wrong usage, 3 the other side could not be reached.
package command
