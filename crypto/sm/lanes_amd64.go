//go:build !purego

package sm

import (
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/cpu"
)

// wide reports whether this processor has what hashBlocks is written in.
var wide = cpu.X86.HasAVX2 && cpu.X86.HasBMI2

// hashBlocks continues eight SM3 states by the same number of blocks each. It is
// the library's own function, with which it derives keys; the library has no
// other door to it (docs/adr/0020). buffer is as lanes.buffer. A build with a
// version of the library that lacks it fails.
//
//go:linkname hashBlocks github.com/emmansun/gmsm/internal/sm3.blockMultBy8
//go:noescape
func hashBlocks(states **[8]uint32, data **byte, buffer *byte, blocks int)
