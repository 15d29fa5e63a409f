package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/spf13/cobra"
)

// Program is a command line with what it takes from the world to speak, so
// that tests can run it in their own process.
type Program struct {
	Out, Err io.Writer
	Env      func(string) string
	// Prompt asks for a secret on the terminal without showing it. It is nil
	// when there is no terminal.
	Prompt func(question string) ([]byte, error)

	Lang Language // set by Run
	JSON bool     // --json: results on Out as JSON
}

// Say picks the text in the program's language.
func (p *Program) Say(t Text) string { return p.Lang.Say(t) }

// Sayf is Say for formats. Both must take the same arguments in the same order.
func (p *Program) Sayf(t Text, args ...any) string { return fmt.Sprintf(p.Say(t), args...) }

// PrintJSON writes one result for programs.
func (p *Program) PrintJSON(v any) error {
	enc := json.NewEncoder(p.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Run finds the language, executes and returns the exit code. explain renders
// an error for people.
func (p *Program) Run(ctx context.Context, args []string, root func() *cobra.Command, explain func(error) string) int {
	lang, err := LanguageOf(args, p.Env)
	p.Lang = lang
	if err == nil {
		err = p.execute(ctx, root(), args)
	}
	if err == nil {
		return ExitDone
	}
	code := ExitInvalid
	var exit *ExitError
	if errors.As(err, &exit) {
		code, err = exit.Code, exit.Cause
	}
	if err != nil {
		fmt.Fprintln(p.Err, p.Say(Text{"错误：", "error: "})+explain(err))
	}
	return code
}

func (p *Program) execute(ctx context.Context, root *cobra.Command, args []string) error {
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var exit *ExitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return p.wrongUsage(cmd, err)
}

// Explain renders an error in the language of the program. Causes that come
// from below are technical and stay in English; what the system refuses has a
// hint.
func (p *Program) Explain(err error) string {
	var m *Message
	if !errors.As(err, &m) {
		return err.Error() + p.Hint(p.Say(refusal(err)))
	}
	return p.ExplainMessage(m, p.Explain)
}

// refusal is what to do about an error of the system that people meet.
func refusal(err error) Text {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return Text{"以该文件所属的用户执行此命令", "run this command as the user who owns the file"}
	case errors.Is(err, syscall.ENOSPC):
		return Text{"磁盘已满，先腾出空间", "the disk is full: make room first"}
	case errors.Is(err, syscall.EROFS):
		return Text{"文件系统是只读的", "the file system is read-only"}
	}
	return Text{}
}

// ExplainMessage renders a message, its cause by explain, and its hint.
func (p *Program) ExplainMessage(m *Message, explain func(error) string) string {
	s := p.Say(m.Text)
	if m.Cause != nil {
		s += p.Say(Text{"：", ": "}) + explain(m.Cause)
	}
	return s + p.Hint(p.Say(m.Hint))
}

// Hint is the line behind an error that says what to do; "" stays "".
func (p *Program) Hint(hint string) string {
	if hint == "" {
		return ""
	}
	return "\n" + p.Say(Text{"提示：", "hint: "}) + hint
}

// Root makes the command that holds the others. codeOf gives the exit code of
// an error that a command returned itself; any other error out of cobra is one
// of usage.
func (p *Program) Root(use string, short Text, codeOf func(error) int, commands ...*cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use: use, Short: p.Say(short), Args: cobra.NoArgs,
		SilenceErrors: true, // Run prints them, once, in the right language
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	flags := root.PersistentFlags()
	// LanguageOf has read --lang already; here it is declared for help and parsing.
	flags.String("lang", p.Lang.Code(), p.Say(Text{"语言：zh 或 en，取自 LANG", "language: zh or en, taken from LANG"}))
	flags.BoolVar(&p.JSON, "json", false, p.Say(Text{"以 JSON 输出结果", "print the result as JSON"}))
	root.AddCommand(commands...)
	separateUsage(root, codeOf)
	p.speak(root)
	return root
}

func separateUsage(cmd *cobra.Command, codeOf func(error) int) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			var exit *ExitError
			if err == nil || errors.As(err, &exit) {
				return err
			}
			return &ExitError{codeOf(err), err}
		}
	}
	for _, child := range cmd.Commands() {
		separateUsage(child, codeOf)
	}
}

// Group is a command that only holds others. Without a known one it is wrong
// usage, not a page of help and success.
func Group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		help := cmd.CommandPath() + " --help"
		return UsageError(&Message{Text: Text{"缺少子命令", "a subcommand is missing"}, Hint: Text{help, help}})
	}
	cmd.AddCommand(children...)
	return cmd
}
