package main

import (
	"bytes"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas/ident"
)

// proving is what an agency says of its key, and how the key signs it.
type proving struct {
	region, name, label string
	genesis             string
	passphraseFile      string // for a key that is a file here
	toSign, signature   string // for a key that is elsewhere: what it has to sign, and what it has signed
	output              string
}

func (p *program) agencyProve() *cobra.Command {
	var f proving
	cmd := &cobra.Command{
		Use:   "prove USCC KEY-FILE",
		Short: p.Say(text{"单位声明一把公钥归自己所有，写成声明文件", "an agency claims a key as its own, in a file for its region"}),
		Long: p.Say(text{
			"由持有私钥的单位执行。KEY-FILE 是加密的私钥文件（PKCS#8）时一步完成。\n私钥在密码卡里或由 OpenSSL 保管时，KEY-FILE 是公钥：先用 --to-sign 写出待签字节，\n在私钥所在处签名（SM2，用户标识 1234567812345678，DER），再用 --signature 合成。\n声明文件不含秘密，交给本地区信用中心，由其 creditctl agency add 登记。",
			"Run by the agency that holds the private key. With the encrypted private key\n(PKCS#8) as KEY-FILE it is one step. When a smart card or OpenSSL keeps it,\nKEY-FILE is the public key: --to-sign writes the bytes to sign, which are signed\nwhere the key is (SM2, user id 1234567812345678, DER), and --signature makes the\nclaim. The claim is no secret: hand it to the region's credit centre, which\nregisters it with creditctl agency add."}),
		Example: "  creditctl agency prove 12120000000003025Y key.pem --region 120000 --name 某综合行政执法总队 --genesis genesis.json -o claim.json\n\n" +
			"  creditctl agency prove 12120000000003025Y pub.pem --region 120000 --name 某综合行政执法总队 --genesis genesis.json --to-sign message\n" +
			"  openssl dgst -sm3 -sign key.pem -sigopt distid:1234567812345678 message > sig\n" +
			"  creditctl agency prove 12120000000003025Y pub.pem --region 120000 --name 某综合行政执法总队 --genesis genesis.json --signature sig -o claim.json",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.prove(cmd, args[0], args[1], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.region, "region", "", p.Say(text{"登记该公钥的地区", "region that is to register the key"}))
	flags.StringVar(&f.name, "name", "", p.Say(text{"单位名称", "name of the agency"}))
	flags.StringVar(&f.label, "label", "", p.Say(text{"公钥标签，如 卡一", "label of the key, such as card-1"}))
	flags.StringVar(&f.genesis, "genesis", "", p.Say(text{"genesis.json；没有则向网关询问账本标识", "genesis.json; without it the gateway is asked for the ledger id"}))
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", p.Say(text{
		"私钥口令文件（或环境变量 CREDITCTL_PASSPHRASE，或终端输入）",
		"file with the passphrase of the private key (or CREDITCTL_PASSPHRASE, or asked for)"}))
	flags.StringVar(&f.toSign, "to-sign", "", p.Say(text{"写出待签字节的文件", "write the bytes to sign to this file"}))
	flags.StringVar(&f.signature, "signature", "", p.Say(text{"在别处签好的签名文件（DER 或其 base64）", "file of the signature that was made elsewhere (DER or its base64)"}))
	flags.StringVarP(&f.output, "output", "o", "", p.Say(text{"写入文件而不是标准输出", "write to a file, not to stdout"}))
	for _, name := range []string{"region", "name"} {
		_ = cmd.MarkFlagRequired(name) // it fails for an unknown flag only
	}
	cmd.MarkFlagsMutuallyExclusive("to-sign", "signature")
	return cmd
}

func (p *program) prove(cmd *cobra.Command, uscc, keyFile string, f proving) error {
	if ident.CheckUSCC(uscc) != nil {
		return usageError(&message{Text: text{"统一社会信用代码校验不通过，请核对后重试", "the unified social credit code fails its check"}})
	}
	raw, err := readAtMost(keyFile, maxKeyFile)
	if err != nil {
		return usageError(&message{Text: text{"读不到密钥文件", "can't read the key file"}, Cause: err})
	}
	private := bytes.Contains(raw, []byte("PRIVATE KEY-----"))
	if private == (f.toSign != "" || f.signature != "") {
		return usageError(&message{
			Text: text{"私钥文件直接签名；公钥文件要配 --to-sign 或 --signature", "a private key signs at once; a public key goes with --to-sign or --signature"},
			Hint: text{"见 creditctl agency prove --help", "see creditctl agency prove --help"}})
	}
	ledger, err := p.ledgerID(cmd, f.genesis)
	if err != nil {
		return err
	}
	claim := peers.AgencyClaim{Region: peers.Region(f.region), USCC: uscc, Name: f.name, Label: f.label}
	if private {
		return p.proveHere(claim, ledger, raw, f)
	}
	return p.proveElsewhere(claim, ledger, raw, f)
}

// proveHere signs with a private key that is a file.
func (p *program) proveHere(claim peers.AgencyClaim, ledger sm.Digest, file []byte, f proving) error {
	pass, _, err := p.Passphrase(command.PassphraseSource{Flag: "--passphrase-file", File: f.passphraseFile,
		Variable: "CREDITCTL_PASSPHRASE", Question: text{"私钥口令：", "Passphrase of the private key: "}})
	if err != nil {
		return err
	}
	// OpenSSL's files know no purposes; one of ours must be an agency's.
	key, err := sm.ImportPrivate[sm.Agency](file, pass)
	if errors.Is(err, sm.ErrRole) {
		key, err = sm.ParsePrivate[sm.Agency](file, pass)
	}
	if err != nil {
		return &message{Text: text{"打不开私钥文件", "can't open the private key file"}, Cause: err,
			Hint: text{"应为加密的 PKCS#8：openssl pkcs8 -topk8 -in plain.pem -v2 sm4-cbc -v2prf hmacWithSHA256 -out key.pem",
				"it must be encrypted PKCS#8: openssl pkcs8 -topk8 -in plain.pem -v2 sm4-cbc -v2prf hmacWithSHA256 -out key.pem"}}
	}
	claim.Key = key.Public()
	if claim, err = claim.Prove(ledger, key); err != nil {
		return claimRefused(err)
	}
	return p.writeClaim(claim, f.output)
}

// proveElsewhere has a key sign that is on a card or with OpenSSL: it gives out
// the bytes, or takes the signature.
func (p *program) proveElsewhere(claim peers.AgencyClaim, ledger sm.Digest, file []byte, f proving) error {
	var err error
	if claim.Key, err = sm.ParsePublicPEM[sm.Agency](file); err != nil {
		return &message{Text: text{"不是 SM2 公钥文件", "not a file of an SM2 public key"}, Cause: err,
			Hint: text{"用 openssl pkey -in key.pem -pubout 导出公钥", "write one with openssl pkey -in key.pem -pubout"}}
	}
	statement, err := claim.Statement()
	if err != nil {
		return claimRefused(err)
	}
	if f.toSign != "" {
		if err := os.WriteFile(f.toSign, sm.Message(sm.LabelAgencyKey, ledger, statement), 0o644); err != nil {
			return &message{Text: text{"写不了文件", "can't write the file"}, Cause: err}
		}
		return nil
	}
	if claim.Proof, err = readSignature(f.signature); err != nil {
		return err
	}
	if !claim.Proven(ledger) {
		return &message{Text: text{"签名不成立", "the signature does not hold"},
			Hint: text{"地区、名称、标签、账本和公钥须与 --to-sign 时完全相同，用户标识为 1234567812345678",
				"region, name, label, ledger and key must be those of --to-sign, the user id 1234567812345678"}}
	}
	return p.writeClaim(claim, f.output)
}

func claimRefused(cause error) error {
	return usageError(&message{Text: text{"声明的内容不合规定", "the claim is not a valid one"}, Cause: cause})
}

func (p *program) writeClaim(claim peers.AgencyClaim, output string) error {
	file, err := claim.MarshalFile()
	if err != nil {
		return claimRefused(err)
	}
	if output == "" {
		_, err := p.Out.Write(file)
		return err
	}
	if err := os.WriteFile(output, file, 0o644); err != nil {
		return &message{Text: text{"写不了文件", "can't write the file"}, Cause: err}
	}
	if p.JSON {
		_, err := p.Out.Write(file)
		return err
	}
	p.print(text{"声明已写好。交给信用中心，并另行（如电话）告知公钥编号 %s", "the claim is written. Hand it to the credit centre, and tell it the key id by another way, such as by phone: %s"}, claim.Key.ID())
	return nil
}

// maxKeyFile bounds a key file, public or private.
const maxKeyFile = 16 << 10

// readClaim reads what agency prove has written.
func readClaim(name string) (peers.AgencyClaim, error) {
	raw, err := readAtMost(name, peers.MaxClaimFile)
	if err != nil {
		return peers.AgencyClaim{}, usageError(&message{Text: text{"读不到声明文件", "can't read the claim"}, Cause: err})
	}
	claim, err := peers.ParseAgencyClaim(raw)
	if err != nil {
		return claim, &message{Text: text{"不是公钥声明文件", "not a claim of an agency's key"}, Cause: err,
			Hint: text{"由单位用 creditctl agency prove 生成", "the agency writes one with creditctl agency prove"}}
	}
	return claim, nil
}
