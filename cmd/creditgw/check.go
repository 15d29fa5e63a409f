package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

type checkFlags struct {
	dir            string
	passphraseFile string
	progress       bool
	part           string // of a child: the one part that it reads
}

func (p *program) checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use: "check --dir DIR",
		Short: p.Say(text{"逐条重读并重新计算一个已停节点的全部文件",
			"read and hash again everything that a stopped node holds"}),
		Long: p.Say(text{
			"逐条重读并重新计算一个已停节点的全部文件。给出口令时也打开密钥；不给时密钥文件只看有无。\n运行中的节点用 POST /v1/checks。",
			"Reads and hashes again everything that a stopped node holds. With the passphrase it opens the keys too;\nwithout it they are not read. For a running node there is POST /v1/checks."}),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.part != "" {
				return p.checkPart(f)
			}
			return p.check(cmd.Context(), f)
		},
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", p.Say(text{"节点的数据目录", "the node's directory"}))
	cmd.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", p.Say(text{"密钥口令文件", "file with the passphrase of the keys"}))
	cmd.Flags().BoolVar(&f.progress, "progress", false, p.Say(text{"在终端显示进度", "show progress on a terminal"}))
	cmd.Flags().StringVar(&f.part, "part", "", "")
	_ = cmd.Flags().MarkHidden("part")
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}

// check is an error with exit code 1 when something is damaged.
func (p *program) check(ctx context.Context, f checkFlags) error {
	// Without the genesis nothing says what the directory should hold.
	path := filepath.Join(f.dir, genesisName)
	genesis, err := readGenesis(path)
	if err != nil {
		return err
	}
	if err := genesis.Verify(); err != nil {
		return invalidFile(path, err)
	}
	lock, err := lockDir(f.dir)
	if err != nil {
		return err
	}
	defer lock.Close() // the file was not written
	// mpb draws on terminals only.
	bars := mpb.New(mpb.WithOutput(p.Err))
	defer bars.Shutdown()
	var parts []partCheck
	for _, part := range nodeParts {
		progress := func(int64, int64) {}
		if f.progress {
			bar := bars.AddBar(0, mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-8s", part.name))), mpb.AppendDecorators(decor.Percentage()))
			progress = func(done, total int64) {
				bar.SetTotal(total, false)
				bar.SetCurrent(done)
			}
		}
		child := checkChild{dir: f.dir, part: part.name, passphraseFile: f.passphraseFile, progress: progress}
		found, err := child.run(ctx)
		if err != nil {
			return err
		}
		parts = append(parts, found)
	}
	return p.reportCheck(f.dir, parts)
}

func (p *program) reportCheck(dir string, parts []partCheck) error {
	damage := 0
	for _, part := range parts {
		damage += len(part.Damage)
	}
	if p.JSON {
		if err := p.PrintJSON(struct {
			Sound bool        `json:"sound"`
			Parts []partCheck `json:"parts"`
		}{damage == 0, parts}); err != nil {
			return err
		}
	} else {
		for _, part := range parts {
			p.printPart(part)
		}
	}
	if damage == 0 {
		return nil
	}
	return &message{
		Text: text{fmt.Sprintf("%s 有 %d 处损坏", dir, damage), fmt.Sprintf("%s is damaged in %d places", dir, damage)},
		Hint: text{"不要启动此节点：账本可从其他地区重新取得，案卷库可删除重建，流水日志和密钥槽只有备份里有",
			"do not start this node: the ledger can be had from the other regions, the casebook can be deleted and is rebuilt, journal and vault are only in a backup"},
	}
}

func (p *program) printPart(part partCheck) {
	verdict := p.Say(text{"完好", "sound  "})
	if len(part.Damage) > 0 {
		verdict = p.Say(text{"损坏", "DAMAGED"})
	}
	fmt.Fprintf(p.Out, "%s  %-8s %d", verdict, part.Part, part.Entries)
	if part.Erased > 0 {
		fmt.Fprint(p.Out, p.Sayf(text{"，其中已清除 %d", ", %d erased"}, part.Erased))
	}
	if part.Root != "" {
		fmt.Fprint(p.Out, "  root ", part.Root)
	}
	if part.Torn > 0 {
		fmt.Fprint(p.Out, p.Sayf(text{"，末尾未写完 %d 字节，启动时截去", ", %d bytes half written at the end, dropped at the next start"}, part.Torn))
	}
	fmt.Fprintln(p.Out)
	for _, d := range part.Damage {
		fmt.Fprintln(p.Out, "  ", d)
	}
}
