package peers

import "fmt"

// RegionSize is the length of a region on the wire: six ASCII digits.
const RegionSize = 6

// Region is an administrative division code of GB/T 2260, six digits. Whether
// a division of that code exists is not checked: codes come and go with dates,
// and an old ledger must stay readable.
type Region string

// ParseRegion accepts six ASCII digits of which the first is not 0.
func ParseRegion(s string) (Region, error) {
	if len(s) != RegionSize || s[0] == '0' {
		return "", errRegion
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return "", errRegion
		}
	}
	return Region(s), nil
}

// The text that was given is not repeated: it may come from a stranger.
var errRegion = fmt.Errorf("region: not six digits of GB/T 2260")

// String returns the six digits.
func (r Region) String() string { return string(r) }

// MarshalText refuses a region that ParseRegion would not accept.
func (r Region) MarshalText() ([]byte, error) {
	if _, err := ParseRegion(string(r)); err != nil {
		return nil, err
	}
	return []byte(r), nil
}

// UnmarshalText accepts what ParseRegion accepts.
func (r *Region) UnmarshalText(text []byte) error {
	parsed, err := ParseRegion(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}
