// Package access says who a bearer token is.
//
// A token is 32 random bytes, shown once as "xq_" and 43 characters of
// unpadded base64url. DIR/tokens.json keeps only its SM3, with role, scope and
// term, so whoever reads the file can use none. The file is replaced whole and
// durably; a running node reads it again within a second of a change.
//
// A file that can't be read lets nobody in: a revocation may be in it.
package access
