package main

import "github.com/spf13/cobra"

// commands lists the subcommands. A new one is added here and nowhere else.
func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.demoCommand(),
		p.initCommand(),
		p.genesisCommand(),
		p.tokenCommand(),
		p.memberCommand(),
		p.serveCommand(),
		p.configCommand(),
		p.checkCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		p.resyncCommand(),
		p.selftestCommand(),
		p.benchCommand(),
		p.benchServerCommand(),
	}
}

func (p *program) root() *cobra.Command {
	root := p.Root("creditgw", text{"信桥：地区间信用数据交换网关", "Xinqiao, the inter-regional credit data exchange gateway"},
		func(error) int { return exitInvalid }, p.commands()...)
	root.SetIn(p.in)
	return root
}
