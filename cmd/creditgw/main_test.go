package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/xinqiao/creditgw/cmd/command"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"creditgw": main})
}

// The scripts are the commands' documentation by example.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("LANG", "en_US.UTF-8")
			env.Setenv("LC_ALL", "")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"mode":    mode,
			"replace": replace,
		},
	})
}

// exits CODE COMMAND…: the command ends with just this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	var got string
	if err := ts.Exec(args[1], args[2:]...); err == nil {
		got = "0"
	} else {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// mode OCTAL FILE…: the files have these permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := info.Mode().Perm().String(); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", name, got, args[0])
		}
	}
}

// replace OLD NEW FILE: somebody edits a file by hand.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || !strings.Contains(ts.ReadFile(args[2]), args[0]) {
		ts.Fatalf("usage: replace OLD NEW FILE, with OLD in FILE")
	}
	edited := strings.ReplaceAll(ts.ReadFile(args[2]), args[0], args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(edited), 0o644))
}

// testProgram runs in the test's own process, without a terminal.
func testProgram(env map[string]string) (*program, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return &program{
		Program: command.Program{Out: &out, Err: &err, Env: func(name string) string { return env[name] }},
		in:      strings.NewReader(""),
		rand:    seededRandom("program"),
	}, &out, &err
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		args []string
		want string
	}{
		{nil, nil, "Xinqiao"},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, nil, "信桥"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, nil, "Xinqiao"},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"}, nil, "信桥"},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, []string{"--lang", "en"}, "Xinqiao"},
		{nil, []string{"--lang=zh"}, "信桥"},
	} {
		p, out, _ := testProgram(c.env)
		if code := p.run(context.Background(), c.args); code != exitDone || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v %v: exit %d, %q", c.env, c.args, code, out)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"serv"}, {"--verbose"}, {"--lang", "fr"}, {"--lang"}, {"init"}, {"init", "--region"}, {"init", "x"},
		{"genesis"}, {"genesis", "merge"}, {"genesis", "join"}, {"genesis", "join", "member.json"},
		{"genesis", "sign", "genesis.json"}, {"genesis", "sign", "--dir", "d"},
	} {
		for _, lang := range []string{"zh_CN", "en_US"} {
			p, out, errOut := testProgram(map[string]string{"LANG": lang})
			if code := p.run(context.Background(), args); code != exitUsage {
				t.Errorf("%v: exit %d", args, code)
			}
			if out.Len() != 0 || errOut.Len() == 0 {
				t.Errorf("%v: out %q, err %q", args, out, errOut)
			}
		}
	}
}

// What is asked for on a terminal is asked for twice, and a slip is noticed.
func TestPromptTwice(t *testing.T) {
	dir := t.TempDir()
	answers := map[string][]string{
		"a slip": {"correct horse", "correct hearse"},
		"short":  {"horse"},
		"same":   {"correct horse", "correct horse", "correct horse", "correct horse"},
		"right":  {"correct horse", "correct horse", "in the safe", "in the safe"},
	}
	for _, name := range []string{"a slip", "short", "same", "right"} {
		left := answers[name]
		p, _, errOut := testProgram(nil)
		p.Prompt = func(string) ([]byte, error) {
			answer := left[0]
			left = left[1:]
			return []byte(answer), nil
		}
		want := exitUsage
		if name == "right" {
			want = exitDone
		}
		code := p.run(context.Background(), []string{"init", "--region", "120000", "--name", "天津市信用中心",
			"--addr", "gw.tj.example:8443", "--dir", filepath.Join(dir, "tj")})
		if code != want || len(left) != 0 {
			t.Errorf("%s: exit %d, %d answers left: %s", name, code, len(left), errOut)
		}
	}
}
