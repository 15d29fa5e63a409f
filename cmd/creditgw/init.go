package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

type initFlags struct {
	region, name, addr, dir, http          string
	passphraseFile, recoveryPassphraseFile string
}

func (p *program) initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use: "init --region 120000 --name … --addr HOST:PORT --dir DIR",
		Short: p.Say(text{"生成本地区的密钥、恢复文件、样例配置和 member.json",
			"make a region's keys, recovery file, sample configuration and member.json"}),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.init(f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.region, "region", "", p.Say(text{"地区，GB/T 2260 六位代码", "region, six digits of GB/T 2260"}))
	flags.StringVar(&f.name, "name", "", p.Say(text{"机构名称", "name of the institution"}))
	flags.StringVar(&f.addr, "addr", "", p.Say(text{"其他地区连接本节点的地址 HOST:PORT（QUIC，UDP）",
		"HOST:PORT at which other regions reach this node (QUIC over UDP)"}))
	flags.StringVar(&f.dir, "dir", "", p.Say(text{"节点目录", "directory of the node"}))
	flags.StringVar(&f.http, "http", "127.0.0.1:8600", p.Say(text{"写入配置的 HTTP 地址", "HTTP address for the configuration"}))
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", p.Say(text{
		"密钥口令文件（或环境变量 CREDITGW_PASSPHRASE，或终端输入）",
		"file with the passphrase of the keys (or CREDITGW_PASSPHRASE, or asked for)"}))
	flags.StringVar(&f.recoveryPassphraseFile, "recovery-passphrase-file", "", p.Say(text{
		"恢复文件口令文件（或环境变量 CREDITGW_RECOVERY_PASSPHRASE，或终端输入）",
		"file with the passphrase of the recovery file (or CREDITGW_RECOVERY_PASSPHRASE, or asked for)"}))
	for _, name := range []string{"region", "name", "addr", "dir"} {
		_ = cmd.MarkFlagRequired(name) // fails for unknown flags only
	}
	return cmd
}

func (p *program) init(f initFlags) error {
	region, err := peers.ParseRegion(f.region)
	if err != nil {
		return usageError(&message{Text: text{"--region 应为 GB/T 2260 六位代码", "--region takes six digits of GB/T 2260"}})
	}
	if err := peers.CheckAddr(f.http); err != nil {
		return usageError(&message{Text: text{"--http 应为 HOST:PORT", "--http takes HOST:PORT"}})
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return err
	}
	if err := refuseExisting(dir); err != nil {
		return err
	}
	info := founderInfo{Region: region, Name: f.name, Addr: f.addr}
	keys, member, err := generateKeys(info, p.rand)
	if err != nil {
		return usageError(&message{Text: text{"--name 或 --addr 不对", "--name or --addr is wrong"}, Cause: err})
	}
	pass, err := p.newPassphrases(f)
	if err != nil {
		return err
	}
	if err := keys.write(dir, member, p.rand, pass); err != nil {
		return &message{Text: text{"没有建成密钥目录", "the key directory was not made"}, Cause: err}
	}
	config := sampleConfig{Dir: dir, Addr: f.addr, HTTP: f.http, PassphraseFile: f.passphraseFile}
	if err := config.write(dir); err != nil {
		return err
	}
	if err := durable.SyncDir(dir); err != nil {
		return err
	}
	return p.reportInit(dir, member)
}

// refuseExisting looks before the passphrases are asked for. That nothing is
// overwritten is ensured again when the files are created.
func refuseExisting(dir string) error {
	for _, name := range []string{keysName, recoveryName, memberName, configName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return usageError(&message{
				Text: text{filepath.Join(dir, name) + " 已存在，不会覆盖", filepath.Join(dir, name) + " exists and is not overwritten"},
				Hint: text{"换一个 --dir；丢掉密钥就丢掉了身份", "choose another --dir: to lose the keys is to lose the identity"},
			})
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (p *program) newPassphrases(f initFlags) (passphrases, error) {
	keys, err := p.newPassphrase(keyPassphrase(f.passphraseFile))
	if err != nil {
		return passphrases{}, err
	}
	recovery, err := p.newPassphrase(recoveryPassphrase(f.recoveryPassphraseFile))
	if err != nil {
		return passphrases{}, err
	}
	if bytes.Equal(keys, recovery) {
		return passphrases{}, usageError(&message{
			Text: text{"两个口令相同", "the two passphrases are the same"},
			Hint: text{"恢复口令要离开本机保管", "the recovery passphrase is to be kept away from this host"},
		})
	}
	return passphrases{Keys: keys, Recovery: recovery}, nil
}

func (p *program) reportInit(dir string, m peers.Member) error {
	if p.JSON {
		return p.PrintJSON(struct {
			Region   peers.Region        `json:"region"`
			Node     string              `json:"node"`
			Dir      string              `json:"dir"`
			Member   string              `json:"member"`
			Config   string              `json:"config"`
			Recovery string              `json:"recovery"`
			Keys     map[string]sm.KeyID `json:"keys"`
		}{
			m.Region, m.Node.ID, dir, filepath.Join(dir, memberName), filepath.Join(dir, configName),
			filepath.Join(dir, recoveryName), keyIDs(m),
		})
	}
	_, err := fmt.Fprint(p.Out, p.Sayf(text{
		"节点 %s 的密钥已生成，目录 %s\n" +
			"  %s 可以公开，发给合并创世文件的一方\n" +
			"  %s 请移出本机保管，口令另放\n" +
			"下一步：creditgw genesis join member.json… -o genesis.json\n",
		"made the keys of node %s in %s\n" +
			"  %s is public: send it to whoever joins the genesis\n" +
			"  %s belongs away from this host, its passphrase elsewhere again\n" +
			"next: creditgw genesis join member.json… -o genesis.json\n",
	}, m.Node.ID, dir, memberName, recoveryName))
	return err
}

func keyIDs(m peers.Member) map[string]sm.KeyID {
	return map[string]sm.KeyID{
		"node": m.Node.Key.ID(), "batch": m.Batch.ID(), "decryption": m.Decryption.ID(), "witness": m.Witness.ID(),
	}
}
