package schemas

import (
	"embed"
	"sync"
)

//go:embed catalogue policy
var embedded embed.FS

// must is for what the program itself embeds or configures: a fault there is
// a fault of the build and shows in every test.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Catalogue is the set of record kinds a region exchanges.
type Catalogue struct {
	kinds []*Kind
}

// Default returns the catalogue that is built into the program.
var Default = sync.OnceValue(func() *Catalogue {
	return &Catalogue{kinds: []*Kind{newPenaltyKind()}}
})

// Kind finds a kind by the name that headers carry.
func (c *Catalogue) Kind(name string) (*Kind, bool) {
	for _, k := range c.kinds {
		if k.Name() == name {
			return k, true
		}
	}
	return nil, false
}

// Kind is one kind of record: its dictionary and its policy packs. What is
// shared of it is published as a JSON Schema beside the dictionary.
type Kind struct {
	dictionary  *Dictionary
	publication []publicationPack
	dishonesty  []dishonestyPack
	reporting   []reportingPack
}

// PenaltyKind is the name of the kind 行政处罚信息.
const PenaltyKind = "administrative-penalty"

func newPenaltyKind() *Kind {
	return &Kind{
		dictionary:  must(ReadDictionary(embedded, "catalogue/administrative-penalty.yaml")),
		publication: must(readPacks[publicationPack](embedded, "policy/publication.yaml")),
		dishonesty:  must(readPacks[dishonestyPack](embedded, "policy/dishonesty.yaml")),
		reporting:   must(readPacks[reportingPack](embedded, "policy/reporting.yaml")),
	}
}

// Name returns the kind's name in headers and in the API.
func (k *Kind) Name() string { return k.dictionary.Kind }

// Title returns the kind's name for people.
func (k *Kind) Title() Text { return k.dictionary.Title }

// Dictionary returns the kind's fields and code lists.
func (k *Kind) Dictionary() *Dictionary { return k.dictionary }

// fieldNames gives the Chinese names of national codes.
func fieldNames(codes []string) []string {
	dictionary := Default().kinds[0].dictionary
	names := make([]string, len(codes))
	for i, code := range codes {
		names[i] = code
		if f, ok := dictionary.Field(code); ok {
			names[i] = f.Name.ZH
		}
	}
	return names
}
