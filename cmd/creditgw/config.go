package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/peers"
)

// config is the node's configuration: one YAML file, then CREDITGW_… from the
// environment, then flags. sample.yaml explains each key.
type config struct {
	Dir            string `mapstructure:"dir"`
	PassphraseFile string `mapstructure:"passphrase_file"`
	Listen         string `mapstructure:"listen"` // QUIC, UDP
	HTTP           struct {
		Listen   string `mapstructure:"listen"`
		CertFile string `mapstructure:"cert_file"`
		KeyFile  string `mapstructure:"key_file"`
	} `mapstructure:"http"`
	Network  string `mapstructure:"network"` // lan or wan
	LogLevel string `mapstructure:"log_level"`
	Trust    struct {
		ShadowVerify float64 `mapstructure:"shadow_verify"` // share, 0 to 1
	} `mapstructure:"trust"`
	Erasure struct {
		Round      time.Duration `mapstructure:"round"`
		BackupDays int           `mapstructure:"backup_days"` // 0: no backups are made
	} `mapstructure:"erasure"`
}

// defaults are also the list of keys that the environment may set.
var defaults = map[string]any{
	"dir": "", "passphrase_file": "", "listen": ":8700",
	"http.listen": "127.0.0.1:8600", "http.cert_file": "", "http.key_file": "",
	"network": "wan", "log_level": "info", "trust.shadow_verify": 0.01,
	"erasure.round": time.Hour, "erasure.backup_days": 0,
}

// loadConfig reads strictly and returns every fault at once.
func loadConfig(file string) (config, error) {
	c, err := readConfig(file)
	if err := errors.Join(err, c.check()); err != nil {
		return c, usageError(&message{
			Text: text{"配置有误 " + file, "faults in the configuration " + file}, Cause: err,
			Hint: text{"creditgw init 会生成一份样例", "creditgw init writes a sample"},
		})
	}
	return c, nil
}

// readConfig reads file and environment; an unknown key is an error.
func readConfig(file string) (config, error) {
	v := viper.New()
	v.SetConfigFile(file)
	v.SetConfigType("yaml")
	v.SetEnvPrefix("CREDITGW")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	var c config
	if err := v.ReadInConfig(); err != nil {
		return c, err
	}
	return c, v.UnmarshalExact(&c)
}

// check names every key that can't work.
func (c *config) check() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Dir == "" {
		fault("dir", "is missing")
	} else if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
		fault("dir", "%s is not a directory", c.Dir)
	}
	if err := checkListen(c.Listen); err != nil {
		fault("listen", "%v", err)
	}
	if err := checkListen(c.HTTP.Listen); err != nil {
		fault("http.listen", "%v", err)
	}
	if (c.HTTP.CertFile == "") != (c.HTTP.KeyFile == "") {
		fault("http.cert_file, http.key_file", "one needs the other")
	}
	if c.Network != "lan" && c.Network != "wan" {
		fault("network", "%q is neither lan nor wan", c.Network)
	}
	if _, err := c.level(); err != nil {
		fault("log_level", "%v", err)
	}
	if c.Trust.ShadowVerify < 0 || c.Trust.ShadowVerify > 1 {
		fault("trust.shadow_verify", "%v is not between 0 and 1", c.Trust.ShadowVerify)
	}
	// With the slack of a restart this keeps the 24 hours that are promised.
	if c.Erasure.Round < time.Second || c.Erasure.Round > 12*time.Hour {
		fault("erasure.round", "%v is not between 1s and 12h", c.Erasure.Round)
	}
	if c.Erasure.BackupDays < 0 || c.Erasure.BackupDays > 3650 {
		fault("erasure.backup_days", "%d is not between 0 and 3650", c.Erasure.BackupDays)
	}
	return errors.Join(errs...)
}

// checkListen takes HOST:PORT, and :PORT for every interface.
func checkListen(addr string) error {
	if strings.HasPrefix(addr, ":") {
		addr = "0.0.0.0" + addr
	}
	return peers.CheckAddr(addr)
}

func (c *config) level() (slog.Level, error) {
	var l slog.Level
	return l, l.UnmarshalText([]byte(c.LogLevel))
}

func (p *program) configCommand() *cobra.Command {
	var file string
	check := &cobra.Command{
		Use:   "check --config FILE",
		Short: p.Say(text{"检查配置，一次列出全部错误", "check a configuration and name every fault at once"}),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := loadConfig(file); err != nil {
				var exit *exitError
				errors.As(err, &exit)
				return &exitError{Code: exitInvalid, Cause: exit.Cause}
			}
			_, err := fmt.Fprintln(p.Out, p.Say(text{"配置无误", "the configuration is sound"}))
			return err
		},
	}
	check.Flags().StringVar(&file, "config", "", p.Say(text{"配置文件", "configuration file"}))
	_ = check.MarkFlagRequired("config")
	return command.Group("config", p.Say(text{"配置", "configuration"}), check)
}
