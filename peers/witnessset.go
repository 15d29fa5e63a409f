package peers

import (
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// WitnessSet says who may cosign a checkpoint and how many of the regions must.
// It is a value: its keys must not be changed once it is shared.
type WitnessSet struct {
	K    int          // distinct regions
	Keys []WitnessKey // ascending by region, then key id
}

// WitnessKey is a key with which a region cosigns. While a region rotates, it
// has two; they count as one region.
type WitnessKey struct {
	Region Region
	Public *sm.WitnessPublic
}

// Digest commits to the set: SM3(<1> label ‖ u8 k ‖ u8 n ‖ n × (region ‖ key)).
func (s WitnessSet) Digest() sm.Digest {
	var b cryptobyte.Builder
	b.AddBytes(sm.LabelWitnesses.Append(nil))
	b.AddUint8(uint8(s.K))
	b.AddUint8(uint8(len(s.Keys)))
	for _, k := range s.Keys {
		b.AddBytes([]byte(k.Region))
		b.AddBytes(k.Public.Bytes())
	}
	return sm.Sum(b.BytesOrPanic())
}

// named lists the keys that a cosignature line may be by: those of the region
// whose hash it states.
func (s WitnessSet) named(r Region, hash KeyHash) []*sm.WitnessPublic {
	var keys []*sm.WitnessPublic
	for _, k := range s.Keys {
		if k.Region == r && HashOf(k.Public.ID()) == hash {
			keys = append(keys, k.Public)
		}
	}
	return keys
}

// Regions lists those that have a key in the set, ascending.
func (s WitnessSet) Regions() []Region {
	var regions []Region
	for _, k := range s.Keys {
		if len(regions) == 0 || regions[len(regions)-1] != k.Region {
			regions = append(regions, k.Region)
		}
	}
	return regions
}

// Equal says whether both ask for the same signatures.
func (s WitnessSet) Equal(o WitnessSet) bool {
	return s.K == o.K && slices.EqualFunc(s.Keys, o.Keys, func(a, b WitnessKey) bool {
		return a.Region == b.Region && a.Public.Equal(b.Public)
	})
}
