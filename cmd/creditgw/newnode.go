package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/peers"
)

// newNodeFlags say what the node is to be that a region makes in the place of one
// that it has lost or stopped.
type newNodeFlags struct {
	dir, addr, http, node                  string
	passphraseFile, recoveryPassphraseFile string
}

// declare adds the flags to cmd; that of the directory is called dir.
func (f *newNodeFlags) declare(p *program, cmd *cobra.Command, dir string) {
	flags := cmd.Flags()
	flags.StringVar(&f.dir, dir, "", p.Say(text{"新节点的目录，须不存在", "directory of the new node, which must not exist"}))
	flags.StringVar(&f.addr, "addr", "", p.Say(text{"其他地区连接新节点的地址 HOST:PORT", "HOST:PORT at which other regions reach the new node"}))
	flags.StringVar(&f.http, "http", "127.0.0.1:8600", p.Say(text{"写入配置的 HTTP 地址", "HTTP address for the configuration"}))
	flags.StringVar(&f.node, "node", "", p.Say(text{"新节点编号，默认是原节点号加一", "id of the new node, by default the next after the old one's"}))
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", p.Say(text{"新密钥的口令文件", "file with the passphrase of the new keys"}))
	flags.StringVar(&f.recoveryPassphraseFile, "recovery-passphrase-file", "", p.Say(text{"恢复文件的口令文件", "file with the passphrase of the recovery file"}))
	for _, name := range []string{dir, "addr"} {
		_ = cmd.MarkFlagRequired(name) // fails for unknown flags only
	}
}

// target is where the new node comes to be. It checks what the flags say of it.
func (f newNodeFlags) target() (dir string, err error) {
	if err := errors.Join(peers.CheckAddr(f.addr), peers.CheckAddr(f.http)); err != nil {
		return "", usageError(&message{Text: text{"--addr 与 --http 应为 HOST:PORT", "--addr and --http take HOST:PORT"}})
	}
	if dir, err = filepath.Abs(f.dir); err != nil {
		return "", err
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return "", usageError(&message{Text: text{dir + " 已存在，不会覆盖", dir + " exists and is not overwritten"}, Cause: err})
	}
	return dir, nil
}

func (f newNodeFlags) passphrases(p *program) (passphrases, error) {
	recovery, err := p.passphrase(recoveryPassphrase(f.recoveryPassphraseFile))
	if err != nil {
		return passphrases{}, err
	}
	keys, err := p.newPassphrase(keyPassphrase(f.passphraseFile))
	return passphrases{Keys: keys, Recovery: recovery}, err
}
