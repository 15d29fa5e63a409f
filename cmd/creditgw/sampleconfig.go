package main

import (
	"bytes"
	_ "embed"
	"net"
	"path/filepath"
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
	Addr           string // QUIC, as the other regions dial it
	HTTP           string
	PassphraseFile string // empty: asked for, or from the environment
}

// Listen is where the node itself takes packets. What a name stands for need
// not be an address of this host, so a name gives the port only.
func (c sampleConfig) Listen() string {
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil || net.ParseIP(host) != nil {
		return c.Addr
	}
	return ":" + port
}

// write puts the configuration into dir, which becomes c.Dir when all is made. A
// service is started elsewhere than this command, so the passphrase file is named
// from the root.
func (c sampleConfig) write(dir string) (err error) {
	if c.PassphraseFile != "" {
		if c.PassphraseFile, err = filepath.Abs(c.PassphraseFile); err != nil {
			return err
		}
	}
	return createFile(filepath.Join(dir, configName), c.render(), 0o644)
}

func (c sampleConfig) render() []byte {
	var b bytes.Buffer
	// A constant template over strings into memory has no way to fail.
	_ = sampleTemplate.Execute(&b, c)
	return b.Bytes()
}
