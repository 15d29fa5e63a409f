package main

import (
	"bytes"
	_ "embed"
	"strconv"
	"text/template"
)

//go:embed sample.yaml
var sampleYAML string

// Values are quoted as Go quotes them, which YAML's double quotes read alike.
var sampleTemplate = template.Must(template.New(configName).
	Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(sampleYAML))

// sampleConfig holds what init knows about a node's configuration.
type sampleConfig struct {
	Dir            string
	Listen         string // QUIC
	HTTP           string
	PassphraseFile string // empty: asked for, or from the environment
}

func (c sampleConfig) render() []byte {
	var b bytes.Buffer
	// A constant template over strings into memory has no way to fail.
	_ = sampleTemplate.Execute(&b, c)
	return b.Bytes()
}
