package command

import (
	"strings"

	"github.com/spf13/cobra"
)

// speak has cobra's own words in the language of the program: headings, the
// flags and the command that it would add by itself, and what it puts around
// the text of ours.
func (p *Program) speak(root *cobra.Command) {
	root.PersistentFlags().BoolP("help", "h", false, p.Say(Text{"显示说明", "show this help"}))
	root.Flags().Bool("version", false, p.Say(Text{"显示版本", "show the version"}))
	root.Version = Version()
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.SetHelpCommand(p.helpCommand())
	root.CompletionOptions.HiddenDefaultCmd = true // its help is English, and long
	if p.Lang == Chinese {
		root.SetUsageTemplate(chineseHeadings.Replace(root.UsageTemplate()))
	}
}

func (p *Program) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: p.Say(Text{"显示一个命令的说明", "show the help of a command"}),
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = unknownCommand(rest[0])
			}
			if err != nil {
				return p.wrongUsage(cmd.Root(), err)
			}
			return about.Help()
		},
	}
}

var chineseHeadings = strings.NewReplacer(
	"Usage:", "用法：",
	"Available Commands:", "命令：",
	"Examples:", "例子：",
	"Global Flags:", "通用选项：",
	"Flags:", "选项：",
	"{{.UseLine}}", "{{chinese .UseLine}}",
	"{{.CommandPath}} [command]{{end}}", "{{.CommandPath}} [命令]{{end}}",
	".FlagUsages", ".FlagUsages | chinese",
	`Use "{{.CommandPath}} [command] --help" for more information about a command.`,
	`各命令的说明见 "{{.CommandPath}} [命令] --help"。`,
)

// chineseUsage is for what cobra and pflag write into lines of ours.
var chineseUsage = strings.NewReplacer("[flags]", "[选项]", "[command]", "[命令]", "(default ", "(默认 ")

// Cobra keeps the functions of templates in a map of its own, without a lock.
func init() { cobra.AddTemplateFunc("chinese", chineseUsage.Replace) }
