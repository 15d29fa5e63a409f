package command

import "runtime/debug"

// Version is the module's version as the Go tool recorded it, "devel" for a
// build out of a work tree.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
