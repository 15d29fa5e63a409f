//go:build !purego

// This file is empty. Without an assembly file in the package, the compiler
// takes no function without a body.
