package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
)

type checkFlags struct {
	dir      string
	progress bool
}

func (p *program) checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use: "check --dir DIR",
		Short: p.say(text{"逐条重读并重新计算一个已停节点的账本、日志和密钥库",
			"read and hash again everything that a stopped node holds"}),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.check(f) },
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", p.say(text{"节点的数据目录", "the node's directory"}))
	cmd.Flags().BoolVar(&f.progress, "progress", false, p.say(text{"在终端显示进度", "show progress on a terminal"}))
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}

// partCheck is what the check found in one part of the node. The casebook and
// the Raft log are not parts: the one is rebuilt from these, and Raft verifies
// the other whenever it reads it.
type partCheck struct {
	Part    string   `json:"part"`
	Entries uint64   `json:"entries"` // leaves, events or slots
	Erased  uint64   `json:"erased,omitempty"`
	Root    string   `json:"root,omitempty"`
	Torn    int64    `json:"torn_bytes,omitempty"` // written in part when the power went; the next start drops it
	Damage  []string `json:"damage,omitempty"`
}

// check is an error with exit code 1 when something is damaged.
func (p *program) check(f checkFlags) error {
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
	parts, err := p.checkParts(f, &genesis)
	if errors.Is(err, store.ErrInUse) {
		return inUse(f.dir)
	}
	if err != nil {
		return err
	}
	return p.reportCheck(f.dir, parts)
}

func (p *program) checkParts(f checkFlags, genesis *peers.Genesis) ([]partCheck, error) {
	// mpb draws on terminals only.
	bars := mpb.New(mpb.WithOutput(p.err))
	defer bars.Shutdown()
	watch := func(name string) func(done, total int64) {
		if !f.progress {
			return func(int64, int64) {}
		}
		bar := bars.AddBar(0, mpb.PrependDecorators(decor.Name(name)), mpb.AppendDecorators(decor.Percentage()))
		return func(done, total int64) {
			bar.SetTotal(total, false)
			bar.SetCurrent(done)
		}
	}
	shared, err := checkLedger(filepath.Join(f.dir, "ledger"), genesis, watch("ledger "))
	if err != nil {
		return nil, err
	}
	return []partCheck{
		shared,
		checkJournal(filepath.Join(f.dir, "journal"), watch("journal")),
		checkVault(filepath.Join(f.dir, "vault")),
	}, nil
}

func checkLedger(dir string, genesis *peers.Genesis, progress func(done, total int64)) (partCheck, error) {
	out := partCheck{Part: "ledger"}
	r, err := store.Check(dir, genesis, func(done, size uint64) { progress(int64(done), int64(size)) })
	if errors.Is(err, store.ErrInUse) {
		return out, err
	}
	out.Entries, out.Erased = r.Size, r.Erased
	if err == nil && r.OK() {
		out.Root = r.Root.String()
	}
	for _, d := range r.Damage {
		out.Damage = append(out.Damage, d.Error())
	}
	out.found(err)
	return out, nil
}

func checkJournal(dir string, progress func(done, total int64)) partCheck {
	r, err := journal.Check(dir, progress)
	out := partCheck{Part: "journal", Entries: r.Events, Torn: r.Torn}
	out.found(err)
	return out
}

func checkVault(path string) partCheck {
	r, err := vault.Check(path)
	out := partCheck{Part: "vault", Entries: r.Slots, Erased: r.Erased}
	out.found(err)
	return out
}

// found adds what a check ended with. Joined faults are a line each.
func (c *partCheck) found(err error) {
	if err != nil {
		c.Damage = append(c.Damage, strings.Split(err.Error(), "\n")...)
	}
}

func (p *program) reportCheck(dir string, parts []partCheck) error {
	damage := 0
	for _, part := range parts {
		damage += len(part.Damage)
	}
	if p.json {
		if err := p.printJSON(struct {
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
		text: text{fmt.Sprintf("%s 有 %d 处损坏", dir, damage), fmt.Sprintf("%s is damaged in %d places", dir, damage)},
		hint: text{"不要启动此节点：账本可从其他区域重新取得，日志和密钥库只有备份里有",
			"do not start this node: the ledger can be had from the other regions, journal and vault only from a backup"},
	}
}

func (p *program) printPart(part partCheck) {
	verdict := p.say(text{"完好", "sound  "})
	if len(part.Damage) > 0 {
		verdict = p.say(text{"损坏", "DAMAGED"})
	}
	fmt.Fprintf(p.out, "%s  %-8s %d", verdict, part.Part, part.Entries)
	if part.Erased > 0 {
		fmt.Fprint(p.out, p.sayf(text{"，其中已删除 %d", ", %d erased"}, part.Erased))
	}
	if part.Root != "" {
		fmt.Fprint(p.out, "  root ", part.Root)
	}
	if part.Torn > 0 {
		fmt.Fprint(p.out, p.sayf(text{"，末尾未写完 %d 字节，启动时截去", ", %d bytes half written at the end, dropped at the next start"}, part.Torn))
	}
	fmt.Fprintln(p.out)
	for _, d := range part.Damage {
		fmt.Fprintln(p.out, "  ", d)
	}
}
