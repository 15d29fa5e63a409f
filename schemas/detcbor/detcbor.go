// Package detcbor is CBOR with one spelling for each value: core deterministic
// encoding, RFC 8949 section 4.2.1. What is signed, hashed or folded is in it.
package detcbor

import (
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

var encoding = must(cbor.CoreDetEncOptions().EncMode())

// Marshal gives a value its one spelling.
func Marshal(v any) ([]byte, error) { return encoding.Marshal(v) }

// Limits bound what bytes from outside can make a decoder allocate. Zero is the
// library's own limit.
type Limits struct {
	Levels   int // of nesting
	Elements int // of an array
	Pairs    int // of a map
}

// Decoding refuses what Marshal never writes, unknown keys among it. Two
// spellings that both pass are told apart only by marshalling again. It panics at
// limits that the library does not take.
func Decoding(l Limits) cbor.DecMode {
	return must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		IntDec:            cbor.IntDecConvertSignedOrFail,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   l.Levels,
		MaxArrayElements:  l.Elements,
		MaxMapPairs:       l.Pairs,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		BignumTag:         cbor.BignumTagForbidden,
	}.DecMode())
}

// must is for constant options.
func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}
