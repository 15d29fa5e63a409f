package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
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

// loadConfig reads strictly and tells every fault at once.
func loadConfig(file string) (config, error) {
	c, faults, err := readConfig(file)
	if err != nil {
		return c, usageError(&message{
			Text: text{"读不了配置文件 " + file, "cannot read the configuration " + file}, Cause: err,
			Hint: text{"creditgw init 在节点目录里生成一份 " + configName, "creditgw init writes one, " + configName + ", into the node's directory"},
		})
	}
	if faults = append(faults, c.check()...); len(faults) > 0 {
		said := text{"配置有误 " + file, "faults in the configuration " + file}
		for _, f := range faults {
			said[command.Chinese] += "\n  " + f[command.Chinese]
			said[command.English] += "\n  " + f[command.English]
		}
		return c, usageError(&message{Text: said, Hint: text{
			"每个键的含义见 creditgw init 生成的 " + configName, "what each key means stands in the " + configName + " that creditgw init writes"}})
	}
	return c, nil
}

// readConfig reads file and environment. A key that nobody knows and a value
// of the wrong type are faults.
func readConfig(file string) (config, []text, error) {
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
		return c, nil, err
	}
	var faults []text
	for _, key := range slices.Sorted(slices.Values(v.AllKeys())) {
		if _, known := defaults[key]; !known {
			faults = append(faults, text{key + "：没有这个键", key + ": there is no such key"})
		}
	}
	if err := v.Unmarshal(&c); err != nil {
		_, which, _ := strings.Cut(err.Error(), "\n\n") // behind a line that says that there are some
		which = strings.ReplaceAll(which, "\n", "; ")
		faults = append(faults, text{"值的类型不对：" + which, "a value of the wrong type: " + which})
	}
	return c, faults, nil
}

// check names every key that can't work.
func (c *config) check() (faults []text) {
	fault := func(key, chinese, english string) {
		faults = append(faults, text{key + "：" + chinese, key + ": " + english})
	}
	if c.Dir == "" {
		fault("dir", "没有写", "is missing")
	} else if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
		fault("dir", c.Dir+" 不是目录", c.Dir+" is not a directory")
	}
	for _, at := range []struct{ key, addr string }{{"listen", c.Listen}, {"http.listen", c.HTTP.Listen}} {
		if checkListen(at.addr) != nil {
			fault(at.key, strconv.Quote(at.addr)+" 不是 HOST:PORT 或 :PORT", strconv.Quote(at.addr)+" is neither HOST:PORT nor :PORT")
		}
	}
	if (c.HTTP.CertFile == "") != (c.HTTP.KeyFile == "") {
		fault("http.cert_file, http.key_file", "要么都写，要么都不写", "one needs the other")
	} else if c.HTTP.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(c.HTTP.CertFile, c.HTTP.KeyFile); err != nil {
			fault("http.cert_file, http.key_file", "不能用："+err.Error(), "can't be used: "+err.Error())
		}
	}
	if c.Network != "lan" && c.Network != "wan" {
		fault("network", strconv.Quote(c.Network)+" 不是 lan 或 wan", strconv.Quote(c.Network)+" is neither lan nor wan")
	}
	if _, err := c.level(); err != nil {
		fault("log_level", strconv.Quote(c.LogLevel)+" 不是 debug、info、warn 或 error", strconv.Quote(c.LogLevel)+" is not debug, info, warn or error")
	}
	if c.Trust.ShadowVerify < 0 || c.Trust.ShadowVerify > 1 {
		fault("trust.shadow_verify", "应在 0 和 1 之间", "is to be between 0 and 1")
	}
	// With the slack of a restart this keeps the 24 hours that are promised.
	if c.Erasure.Round < time.Second || c.Erasure.Round > 12*time.Hour {
		fault("erasure.round", "应在 1s 和 12h 之间", "is to be between 1s and 12h")
	}
	if c.Erasure.BackupDays < 0 || c.Erasure.BackupDays > 3650 {
		fault("erasure.backup_days", "应在 0 和 3650 之间", "is to be between 0 and 3650")
	}
	return faults
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
			if p.JSON {
				return p.PrintJSON(struct {
					Sound bool `json:"sound"`
				}{true})
			}
			_, err := fmt.Fprintln(p.Out, p.Say(text{"配置无误", "the configuration is sound"}))
			return err
		},
	}
	check.Flags().StringVar(&file, "config", "", p.Say(text{"配置文件", "configuration file"}))
	_ = check.MarkFlagRequired("config")
	return command.Group("config", p.Say(text{"配置", "configuration"}), check)
}
