package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/crypto/selftest"
)

// A failed check is named on both outputs, and the good ones are still shown.
func TestSelftestReportsFailure(t *testing.T) {
	checks := []selftest.Check{
		{Name: "sm3", TitleZH: "SM3 向量", TitleEN: "SM3 vectors"},
		{Name: "sm4", TitleZH: "SM4 向量", TitleEN: "SM4 vectors", Err: errors.New("other bytes")},
	}
	p, out, _ := testProgram(nil)
	p.Lang = command.English
	if err := p.reportSelftest(checks, checks[1].Err); err == nil || !strings.Contains(err.Error(), "other bytes") {
		t.Errorf("got %v", err)
	}
	if s := out.String(); !strings.Contains(s, "ok") || !strings.Contains(s, "FAILED") {
		t.Error(s)
	}

	p, out, _ = testProgram(nil)
	p.JSON, p.Lang = true, command.Chinese
	if err := p.reportSelftest(checks, checks[1].Err); err == nil {
		t.Error("failed, and no error")
	}
	var got struct {
		Passed bool
		Checks []checkResult
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Passed || !got.Checks[0].Passed || got.Checks[1].Passed || got.Checks[1].Error != "other bytes" || got.Checks[1].Title != "SM4 向量" {
		t.Errorf("%+v", got)
	}
}
