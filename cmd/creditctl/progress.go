package main

import (
	"fmt"
	"io"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how much of a file has been sent. On what is not a terminal it
// is one plain line, and with --json nothing.
type progress struct {
	all *mpb.Progress
	bar *mpb.Bar
}

func (p *program) progress(size int64, name string) *progress {
	if !p.terminal {
		if !p.JSON {
			fmt.Fprintln(p.Err, p.Sayf(text{"正在发送 %s（%d 字节）", "sending %s (%d bytes)"}, name, size))
		}
		return &progress{}
	}
	all := mpb.New(mpb.WithOutput(p.Err), mpb.WithWidth(48))
	bar := all.AddBar(size,
		mpb.PrependDecorators(decor.Name(name+" "), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.OnComplete(decor.Percentage(), p.Say(text{"校验中…", "being judged…"}))),
	)
	return &progress{all: all, bar: bar}
}

// read counts what is read from r. The gateway's judgement comes after it.
func (g *progress) read(r io.Reader) io.Reader {
	if g.bar == nil {
		return r
	}
	// Only the reading is passed on: closing the file stays with its opener.
	return g.bar.ProxyReader(struct{ io.Reader }{r})
}

// end takes the bar away when the answer is there, whole or not.
func (g *progress) end() {
	if g.bar != nil {
		g.bar.Abort(true)
		g.all.Wait()
	}
}

// counting shows how far a long count has come, on a terminal only.
func (p *program) counting(name text) *progress {
	if !p.terminal {
		return &progress{}
	}
	all := mpb.New(mpb.WithOutput(p.Err), mpb.WithWidth(48))
	bar := all.AddBar(0, mpb.PrependDecorators(decor.Name(p.Say(name)), decor.CountersNoUnit("%d / %d")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.AverageSpeed(0, "%.0f/s")))
	return &progress{all: all, bar: bar}
}

// reach says where the count stands; the end may move while it goes on.
func (g *progress) reach(n, total uint64) {
	if g.bar != nil {
		g.bar.SetTotal(int64(total), false)
		g.bar.SetCurrent(int64(n))
	}
}
