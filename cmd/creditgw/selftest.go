package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/crypto/selftest"
)

func (p *program) selftestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "selftest",
		Short: p.Say(text{"密码算法上电自检：标准向量，两种独立实现互验",
			"power-on self-test: known answers, two independent implementations"}),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.reportSelftest(selftest.Run()) },
	}
}

// checkResult is one check as programs read it.
type checkResult struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Passed bool    `json:"passed"`
	Millis float64 `json:"ms"`
	Error  string  `json:"error,omitempty"`
}

// reportSelftest prints every check, also those after a failed one, and fails
// if one did.
func (p *program) reportSelftest(checks []selftest.Check, failed error) error {
	results := make([]checkResult, len(checks))
	for i, c := range checks {
		results[i] = checkResult{
			Name:   c.Name,
			Title:  p.Say(text{c.TitleZH, c.TitleEN}),
			Passed: c.Err == nil,
			Millis: float64(c.Duration.Microseconds()) / 1000,
		}
		if c.Err != nil {
			results[i].Error = c.Err.Error()
		}
	}
	if err := p.printSelftest(results, failed == nil); err != nil {
		return err
	}
	if failed != nil {
		return &message{
			Text:  text{"自检未通过，节点不会启动", "the self-test failed: a node does not start on this machine"},
			Cause: failed,
		}
	}
	return nil
}

func (p *program) printSelftest(results []checkResult, passed bool) error {
	if p.JSON {
		return p.PrintJSON(struct {
			Passed bool          `json:"passed"`
			Checks []checkResult `json:"checks"`
		}{passed, results})
	}
	for _, r := range results {
		verdict := p.Say(text{"通过", "ok    "})
		if !r.Passed {
			verdict = p.Say(text{"失败", "FAILED"})
		}
		if _, err := fmt.Fprintf(p.Out, "%s  %8.3f ms  %-18s  %s\n", verdict, r.Millis, r.Name, r.Title); err != nil {
			return err
		}
	}
	return nil
}
