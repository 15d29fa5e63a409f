package schemas

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// period is when a policy pack is in force, by the date of the decision. An
// empty bound is open; both days count.
type period struct {
	ID       string `yaml:"id"`
	Basis    string `yaml:"basis"`
	From     Date   `yaml:"from"`
	Until    Date   `yaml:"until"`
	Verified bool   `yaml:"verified"` // false: from memory, not from the text
}

func (p period) holds(d Date) bool {
	return (p.From == "" || d >= p.From) && (p.Until == "" || d <= p.Until)
}

func (p period) bounds() period { return p }

// publicationPack bounds how long a penalty may be published.
type publicationPack struct {
	period           `yaml:",inline"`
	Months           map[string]int `yaml:"months"`
	DerivedMonths    int            `yaml:"derived_months"`
	MayBeUnpublished []string       `yaml:"may_be_unpublished"`
}

// dishonestyPack derives a 失信程度 where the agency states none.
type dishonestyPack struct {
	period `yaml:",inline"`
	Severe struct {
		Class          string   `yaml:"class"`
		TypeWords      []string `yaml:"type_words"`
		ContentWords   []string `yaml:"content_words"`
		FineFenAtLeast int64    `yaml:"fine_fen_at_least"`
	} `yaml:"severe"`
	Minor struct {
		Class     string   `yaml:"class"`
		OnlyTypes []string `yaml:"only_types"`
		TextWords []string `yaml:"text_words"`
	} `yaml:"minor"`
	Else string `yaml:"else"`
}

// reportingPack says within how many working days a penalty is to be sent.
type reportingPack struct {
	period      `yaml:",inline"`
	WorkingDays int `yaml:"working_days"`
}

// readPacks reads a file of packs strictly and refuses malformed periods and
// two packs in force on one day.
func readPacks[P interface{ bounds() period }](files fs.FS, name string) ([]P, error) {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	var file struct {
		Packs []P `yaml:"packs"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("schemas: policy pack %s: %w", name, err)
	}
	for i, pack := range file.Packs {
		p := pack.bounds()
		if (p.From != "" && !p.From.Valid()) || (p.Until != "" && !p.Until.Valid()) {
			return nil, fmt.Errorf("schemas: policy pack %s: %s has a malformed period", name, p.ID)
		}
		if i > 0 && p.From <= file.Packs[i-1].bounds().Until {
			return nil, fmt.Errorf("schemas: policy pack %s: %s overlaps the one before", name, p.ID)
		}
	}
	return file.Packs, nil
}

// inForce returns the pack for a day, false where none is.
func inForce[P interface{ bounds() period }](packs []P, day Date) (P, bool) {
	for _, pack := range packs {
		if pack.bounds().holds(day) {
			return pack, true
		}
	}
	var none P
	return none, false
}

// last returns the last day on which a penalty of this class may be shown.
func (p publicationPack) last(decided Date, class Class) (Date, bool) {
	months := p.DerivedMonths
	if !class.Derived {
		months = p.Months[class.Value]
	}
	if months == 0 {
		return "", false
	}
	return decided.addMonths(months), true
}

// DeriveClass returns the agency's own 失信程度, or the one that the policy
// pack of the decision's date derives.
func DeriveClass(p *Penalty) Class {
	return Default().kinds[0].class(p)
}

func (k *Kind) class(p *Penalty) Class {
	if p.DishonestyClass != "" {
		return Class{Value: p.DishonestyClass}
	}
	pack, ok := inForce(k.dishonesty, p.DecisionDate)
	if !ok {
		return Class{Derived: true}
	}
	switch {
	case pack.severe(p):
		return Class{Value: pack.Severe.Class, Derived: true}
	case pack.minor(p):
		return Class{Value: pack.Minor.Class, Derived: true}
	}
	return Class{Value: pack.Else, Derived: true}
}

func (d dishonestyPack) severe(p *Penalty) bool {
	if d.Severe.FineFenAtLeast > 0 && p.FineFen >= d.Severe.FineFenAtLeast {
		return true
	}
	return containsAny(p.PenaltyContent, d.Severe.ContentWords) ||
		slices.ContainsFunc(p.PenaltyTypes, func(t string) bool { return containsAny(t, d.Severe.TypeWords) })
}

func (d dishonestyPack) minor(p *Penalty) bool {
	if containsAny(p.PenaltyContent, d.Minor.TextWords) || containsAny(p.Remark, d.Minor.TextWords) {
		return true
	}
	return len(p.PenaltyTypes) > 0 && !slices.ContainsFunc(p.PenaltyTypes, func(t string) bool {
		return !slices.Contains(d.Minor.OnlyTypes, t)
	})
}

func containsAny(s string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}
