package main

import (
	"context"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) agencyCommand() *cobra.Command {
	return command.Group("agency", p.Say(text{"单位签名公钥", "agencies' signing keys"}),
		p.agencyAdd(), p.agencyList(), p.agencyRetire())
}

func (p *program) agencyAdd() *cobra.Command {
	var name, label string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:     "add USCC PUBLIC-KEY-FILE",
		Short:   p.Say(text{"登记单位的 SM2 公钥（PEM）", "register an agency's SM2 public key (PEM)"}),
		Example: "  openssl pkey -in key.pem -pubout -out pub.pem\n  creditctl agency add 12120000000003025Y pub.pem --name 天津市交通运输综合行政执法总队",
		Args:    cobra.ExactArgs(2),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			key, err := readPublic(args[1])
			if err != nil {
				return err
			}
			entry, err := c.AddKey(cmd.Context(), args[0], httpapi.NewKey{Name: name, Label: label, Public: key.Bytes()})
			if err != nil {
				return err
			}
			return p.keyChange(cmd.Context(), c, args[0], entry, wait, func(k httpapi.AgencyKey) bool { return k.Until == 0 })
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", p.Say(text{"单位名称", "name of the agency"}))
	cmd.Flags().StringVar(&label, "label", "", p.Say(text{"公钥标签，如 卡一", "label of the key, such as card-1"}))
	waitFlag(p, cmd, &wait)
	_ = cmd.MarkFlagRequired("name") // it fails for an unknown flag only
	return cmd
}

func (p *program) agencyRetire() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "retire USCC KEY-ID",
		Short: p.Say(text{"停用公钥；此前的签名仍有效", "retire a key; what it signed before stays valid"}),
		Args:  cobra.ExactArgs(2),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			var id sm.KeyID
			if id.UnmarshalText([]byte(args[1])) != nil {
				return usageError(&message{Text: text{"KEY-ID 应为 32 位十六进制", "KEY-ID is 32 hexadecimal digits"},
					Hint: text{"见 creditctl agency list", "see creditctl agency list"}})
			}
			entry, err := c.RetireKey(cmd.Context(), args[0], id)
			if err != nil {
				return err
			}
			return p.keyChange(cmd.Context(), c, args[0], entry, wait, func(k httpapi.AgencyKey) bool { return k.Until != 0 })
		}),
	}
	waitFlag(p, cmd, &wait)
	return cmd
}

func waitFlag(p *program, cmd *cobra.Command, wait *time.Duration) {
	cmd.Flags().DurationVar(wait, "wait", 0, p.Say(text{"等待生效的时长，如 30s", "how long to wait until it is in force, such as 30s"}))
}

func (p *program) agencyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list USCC",
		Short: p.Say(text{"列出单位的公钥", "list an agency's keys"}),
		Args:  cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			keys, err := c.Keys(cmd.Context(), args[0])
			if err != nil || p.JSON {
				return firstError(err, func() error { return p.PrintJSON(keys) })
			}
			table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
			for _, k := range keys.Items {
				state := p.Say(text{"在用", "in force"})
				if k.Until != 0 {
					state = p.Sayf(text{"自第 %d 条起停用", "retired at leaf %d"}, k.Until)
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", k.KeyID, k.Name, k.Label, state)
			}
			return table.Flush()
		}),
	}
}

// firstError is err, or what then returns.
func firstError(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// keyPoll is how often a key is looked for while it is waited for.
const keyPoll = 200 * time.Millisecond

// keyChange waits until the change is in force, if asked to, and shows it.
func (p *program) keyChange(ctx context.Context, c *httpapi.Client, uscc string, entry httpapi.KeyEntry, wait time.Duration, done func(httpapi.AgencyKey) bool) error {
	inForce := false
	for until := p.now().Add(wait); wait > 0 && !inForce; {
		keys, err := c.Keys(ctx, uscc)
		if err != nil {
			return err
		}
		for _, k := range keys.Items {
			inForce = inForce || k.KeyID == entry.KeyID && done(k)
		}
		if inForce {
			break
		}
		if p.now().After(until) {
			return &message{Text: text{"已受理，尚未入账", "accepted, but not on the ledger yet"},
				Hint: text{"稍后用 creditctl agency list 查看", "look again with creditctl agency list"}}
		}
		select {
		case <-time.After(keyPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p.JSON {
		return p.PrintJSON(entry)
	}
	if inForce {
		p.print(text{"已生效：公钥 %s", "in force: key %s"}, entry.KeyID)
	} else {
		p.print(text{"已受理，入账后生效：公钥 %s", "accepted, in force once on the ledger: key %s"}, entry.KeyID)
	}
	return nil
}

// publicKeyInfo is SubjectPublicKeyInfo of RFC 5280.
type publicKeyInfo struct {
	Algorithm struct {
		Algorithm asn1.ObjectIdentifier
		Curve     asn1.ObjectIdentifier
	}
	Key asn1.BitString
}

var (
	oidECKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidSM2   = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301} // GM/T 0006
)

const maxKeyFile = 16 << 10

// readPublic reads an SM2 public key as OpenSSL writes it.
func readPublic(name string) (*sm.AgencyPublic, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError(&message{Text: text{"读不到公钥文件", "can't read the public key file"}, Cause: err})
	}
	key, err := parsePublic(raw)
	if err != nil {
		hint := text{"用 openssl pkey -in key.pem -pubout 导出公钥", "write one with openssl pkey -in key.pem -pubout"}
		return nil, &message{Text: text{"不是 SM2 公钥文件", "not a file of an SM2 public key"}, Cause: err, Hint: hint}
	}
	return key, nil
}

func parsePublic(raw []byte) (*sm.AgencyPublic, error) {
	if len(raw) > maxKeyFile {
		return nil, errors.New("too long")
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("no PEM in it")
	}
	if strings.Contains(block.Type, "PRIVATE") {
		return nil, errors.New("it holds a private key, which stays with the agency")
	}
	var info publicKeyInfo
	rest, err := asn1.Unmarshal(block.Bytes, &info)
	if err != nil || len(rest) > 0 {
		return nil, errors.New("no SubjectPublicKeyInfo in it")
	}
	if !info.Algorithm.Algorithm.Equal(oidECKey) || !info.Algorithm.Curve.Equal(oidSM2) {
		return nil, errors.New("its curve is not SM2")
	}
	return sm.ParsePublic[sm.Agency](info.Key.RightAlign())
}
