package main

import (
	"testing"

	"go.yaml.in/yaml/v3"
)

// The sample is YAML whatever the paths are, and says what init was told.
func TestSampleConfigIsYAML(t *testing.T) {
	for _, file := range []string{"", `/etc/口令 "x"\y`} {
		config := sampleConfig{
			Region: "120000", Dir: `/srv/天津 "one": #2\n`, Listen: "[2001:db8::12]:8443",
			HTTP: "127.0.0.1:8600", PassphraseFile: file,
		}
		var got struct {
			Region, Dir, Listen, HTTP string
			PassphraseFile            string `yaml:"passphrase_file"`
			LogLevel                  string `yaml:"log_level"`
			Trust                     struct {
				ShadowVerify float64 `yaml:"shadow_verify"`
			}
			WAN bool
		}
		if err := yaml.Unmarshal(config.render(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Region != "120000" || got.Dir != config.Dir || got.Listen != config.Listen ||
			got.HTTP != config.HTTP || got.PassphraseFile != file || got.LogLevel != "info" || got.Trust.ShadowVerify <= 0 {
			t.Errorf("got %+v", got)
		}
	}
}
