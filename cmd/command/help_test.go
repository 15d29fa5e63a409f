package command

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

// Cobra's own words come out in the language of the program.
func TestHelpAndUsageErrorsInChinese(t *testing.T) {
	run := func(args ...string) (code int, out, errors string) {
		var stdout, stderr bytes.Buffer
		p := &Program{Out: &stdout, Err: &stderr, Env: func(string) string { return "" }}
		root := func() *cobra.Command {
			one := &cobra.Command{Use: "one FILE", Short: "一个", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return nil }}
			one.Flags().Int("size", 8, "大小")
			one.Flags().String("from", "", "来源")
			_ = one.MarkFlagRequired("from") // fails for an unknown flag only
			return p.Root("xinqiao", Text{"信桥", "Xinqiao"}, func(error) int { return ExitInvalid }, one)
		}
		code = p.Run(t.Context(), append([]string{"--lang", "zh"}, args...), root, p.Explain)
		return code, stdout.String(), stderr.String()
	}
	for _, args := range [][]string{{"--help"}, {"one", "--help"}, {"help", "one"}} {
		code, out, _ := run(args...)
		for _, english := range []string{"Usage", "Flags", "Commands", "default", "help for", "[flags]", "[command]", "completion"} {
			if strings.Contains(out, english) {
				t.Errorf("%v says %q:\n%s", args, english, out)
			}
		}
		if code != ExitDone || !strings.Contains(out, "用法：") {
			t.Errorf("%v ends with %d: %s", args, code, out)
		}
	}
	for _, wrong := range []struct {
		args []string
		told string
	}{
		{[]string{"two"}, "没有命令 two"},
		{[]string{"help", "two"}, "没有命令 two"},
		{[]string{"one"}, "应有 1 个参数，实有 0 个"},
		{[]string{"one", "a"}, `缺少选项 "from"`},
		{[]string{"one", "--size"}, "选项 --size 后面缺少值"},
		{[]string{"one", "--size", "big"}, `选项 --size 的值 "big" 不对`},
		{[]string{"one", "--colour"}, "没有选项 --colour"},
		{[]string{"one", "-x"}, "没有选项 -x"},
	} {
		code, _, told := run(wrong.args...)
		if code != ExitUsage || !strings.HasPrefix(told, "错误：用法不对："+wrong.told+"\n提示：xinqiao") {
			t.Errorf("%v ends with %d: %s", wrong.args, code, told)
		}
	}
}

// What the system refuses ends with one hint, under a message or not.
func TestWhatTheSystemRefuses(t *testing.T) {
	p := &Program{Lang: English}
	for _, refused := range []error{syscall.EACCES, syscall.ENOSPC, syscall.EROFS} {
		path := &fs.PathError{Op: "open", Path: "f", Err: refused}
		for _, err := range []error{path, &Message{Text: Text{"写不了", "cannot write"}, Cause: path}, errors.Join(path)} {
			if told := p.Explain(err); strings.Count(told, "\nhint: ") != 1 {
				t.Errorf("%v is told as %q", err, told)
			}
		}
	}
}
