package main

import "runtime/debug"

// version is the module's version as the Go tool recorded it, "devel" for a
// build out of a work tree.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
