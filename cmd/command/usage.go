package command

import (
	"errors"
	"regexp"

	"github.com/spf13/cobra"
)

// wrongUsage tells a call that cobra did not take, and where its help is.
func (p *Program) wrongUsage(cmd *cobra.Command, cause error) error {
	if p.Lang == Chinese {
		cause = errors.New(inChinese(cause.Error()))
	}
	help := cmd.CommandPath() + " --help"
	return UsageError(&Message{
		Text: Text{"用法不对", "wrong usage"}, Cause: cause,
		Hint: Text{help + " 列出用法", help + " shows how it is called"},
	})
}

func unknownCommand(name string) error { return errors.New(`unknown command "` + name + `"`) }

// inChinese turns what cobra and pflag say of a wrong call into Chinese, and
// leaves alone what it does not know.
func inChinese(english string) string {
	for _, said := range usageErrors {
		if said.english.MatchString(english) {
			return said.english.ReplaceAllString(english, said.chinese)
		}
	}
	return english
}

var usageErrors = []struct {
	english *regexp.Regexp
	chinese string
}{
	{regexp.MustCompile(`^accepts (\d+) arg\(s\), received (\d+)$`), "应有 $1 个参数，实有 $2 个"},
	{regexp.MustCompile(`^accepts at most (\d+) arg\(s\), received (\d+)$`), "最多 $1 个参数，实有 $2 个"},
	{regexp.MustCompile(`^accepts between (\d+) and (\d+) arg\(s\), received (\d+)$`), "应有 $1 至 $2 个参数，实有 $3 个"},
	{regexp.MustCompile(`^requires at least (\d+) arg\(s\), only received (\d+)$`), "至少要有 $1 个参数，实有 $2 个"},
	{regexp.MustCompile(`^required flag\(s\) (.+) not set$`), "缺少选项 $1"},
	{regexp.MustCompile(`(?s)^unknown command "([^"]*)".*$`), "没有命令 $1"},
	{regexp.MustCompile(`^unknown flag: (\S+)$`), "没有选项 $1"},
	{regexp.MustCompile(`^unknown shorthand flag: .* in (\S+)$`), "没有选项 $1"},
	{regexp.MustCompile(`^flag needs an argument: (.+)$`), "选项 $1 后面缺少值"},
	{regexp.MustCompile(`(?s)^invalid argument (".*") for "([^"]*)" flag: .*$`), "选项 $2 的值 $1 不对"},
}
