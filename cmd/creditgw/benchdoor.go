package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/access"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// benchDoorServer runs the whole node, as serve does, and beside it the
// listener that tells its state.
func (p *program) benchDoorServer(ctx context.Context, cfg nodeConfig) (err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, cfg.Conn.Close())
	}
	defer listener.Close()
	n, err := openNode(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	s := &benchServer{node: n}
	up := make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.run(ctx, listener, "", "", func() { close(up) }) })
	g.Go(func() error {
		select {
		case <-up:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := n.linearize(ctx); err != nil {
			return err
		}
		return s.listen(ctx, func(items string) error {
			out := benchUp{Items: items, URL: "http://" + listener.Addr().String()}
			if err := n.grantBench(&out); err != nil {
				return err
			}
			return json.NewEncoder(p.Out).Encode(out)
		})
	})
	return ended(ctx, g.Wait())
}

// grantBench makes the tokens that the load uses.
func (n *node) grantBench(up *benchUp) error {
	door, err := openDoor()
	if err != nil {
		return err
	}
	unit := []string{door.authorities[n.cfg.Self.Region].uscc}
	for _, t := range []struct {
		role  exchange.Role
		scope exchange.Scope
		token *string
	}{
		{exchange.RoleOperator, exchange.Scope{}, &up.Operator},
		{exchange.RoleApp, exchange.Scope{}, &up.App},
		{exchange.RoleAgencyEntry, exchange.Scope{Units: unit, Sources: unit}, &up.Agency},
	} {
		*t.token, _, err = n.tokens.Add(access.Grant{Role: t.role, Scope: t.scope, Lifetime: 24 * time.Hour, Label: "bench"})
		if err != nil {
			return err
		}
	}
	return nil
}

// benchParty is an authority or a firm of the built-in registers.
type benchParty struct{ name, uscc string }

// benchDoorData is what notices are made of.
type benchDoorData struct {
	registers   map[string][]byte
	authorities map[peers.Region]benchParty
	firms       map[peers.Region]benchParty // one of each region
	notice      map[string]string
}

func openDoor() (d benchDoorData, err error) {
	s, err := openSamples("")
	if err != nil {
		return d, err
	}
	d = benchDoorData{registers: map[string][]byte{}, authorities: map[peers.Region]benchParty{}, firms: map[peers.Region]benchParty{}}
	read := func(register, file string, visit func(row []string)) error {
		raw, err := fs.ReadFile(s, file)
		if err != nil {
			return err
		}
		d.registers[register] = raw
		rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
		if err != nil {
			return err
		}
		for _, row := range rows[1:] {
			visit(row)
		}
		return nil
	}
	if err := errors.Join(
		read(exchange.RegisterAuthorities, s.manifest.Registers.Authorities, func(row []string) {
			d.authorities[peers.Region(row[0])] = benchParty{row[1], row[2]}
		}),
		read(exchange.RegisterFirms, s.manifest.Registers.Firms, func(row []string) {
			d.firms[peers.Region(row[2])] = benchParty{row[1], row[0]}
		}),
	); err != nil {
		return d, err
	}
	raw, err := fs.ReadFile(s, "bj-penalties.json")
	if err != nil {
		return d, err
	}
	var file struct {
		Records []map[string]string `json:"records"`
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Records) == 0 {
		return d, fmt.Errorf("built-in sample: %w", err)
	}
	d.notice = file.Records[0]
	return d, nil
}

// file is one submission: a decision of today with a number of its own.
func (d *benchDoorData) file(from, home peers.Region, number int64) ([]byte, error) {
	today := time.Now().In(exchange.Shanghai)
	record := make(map[string]string, len(d.notice))
	for name, value := range d.notice {
		record[name] = value
	}
	firm, authority := d.firms[home], d.authorities[from]
	record["CF_XDR_MC"], record["CF_XDR_SHXYM"] = firm.name, firm.uscc
	record["CF_CFJG"], record["CF_CFJGDM"] = authority.name, authority.uscc
	record["CF_SJLY"], record["CF_SJLYDM"] = authority.name, authority.uscc
	record["CF_WSH"] = fmt.Sprintf("测交罚〔%d〕%d号", today.Year(), number)
	const layout = "2006/01/02"
	record["CF_JDRQ"], record["送达日期"] = today.Format(layout), today.Format(layout)
	record["CF_GSJZQ"] = today.AddDate(0, 0, 80).Format(layout)
	return json.Marshal(map[string]any{"schema": exchange.KindPenalty, "records": []any{record}})
}

// arrivals joins what was submitted with the reminders that were pulled, in
// whichever order they come.
type arrivals struct {
	mu      sync.Mutex
	waiting map[exchange.EntryID]chan struct{}
}

func (a *arrivals) of(id exchange.EntryID) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.waiting[id]
	if c == nil {
		c = make(chan struct{}, 1)
		a.waiting[id] = c
	}
	return c
}

// await returns when the record's reminder has been pulled.
func (a *arrivals) await(ctx context.Context, id exchange.EntryID) error {
	select {
	case <-a.of(id):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	a.mu.Lock()
	delete(a.waiting, id)
	a.mu.Unlock()
	return nil
}

// loadDoor has every client submit a file of one notice, wait until the app of
// the firm's region has pulled the reminder, and submit the next.
func (c *benchCluster) loadDoor(ctx context.Context, report *benchReport) ([]benchSample, error) {
	d, err := openDoor()
	if err != nil {
		return nil, err
	}
	// Each client keeps its connection, as an agency's system would.
	kept := &http.Transport{MaxIdleConnsPerHost: c.flags.clients + 1}
	defer kept.CloseIdleConnections()
	agencies := make([]*httpapi.Client, len(c.nodes))
	apps := make([]*httpapi.Client, len(c.nodes))
	for i, n := range c.nodes {
		agencies[i] = &httpapi.Client{URL: n.up.URL, Token: n.up.Agency, HTTP: &http.Client{Transport: kept}}
		apps[i] = &httpapi.Client{URL: n.up.URL, Token: n.up.App, HTTP: &http.Client{Transport: kept}}
		if err := n.furnish(ctx, &d, apps[i]); err != nil {
			return nil, err
		}
	}
	seen := arrivals{waiting: map[exchange.EntryID]chan struct{}{}}
	pulling, stop := context.WithCancel(ctx)
	g, pulling := errgroup.WithContext(pulling)
	for _, app := range apps {
		g.Go(func() error { return seen.pull(pulling, app) })
	}
	var numbers atomic.Int64
	samples, err := c.drive(pulling, func(ctx context.Context, client int) error {
		at := client % len(c.nodes)
		body, err := d.file(c.nodes[at].region, c.nodes[(at+1)%len(c.nodes)].region, numbers.Add(1))
		if err != nil {
			return err
		}
		v, err := agencies[at].Submit(ctx, httpapi.File{Body: bytes.NewReader(body), Size: int64(len(body)), Kind: exchange.KindPenalty})
		if err != nil {
			return err
		}
		if v.Accepted != 1 || len(v.Records) != 1 || v.Records[0].ID == nil {
			return fmt.Errorf("a notice was not accepted: %v", v.ByRule)
		}
		return seen.await(ctx, *v.Records[0].ID)
	})
	stop()
	if failed := g.Wait(); !errors.Is(failed, context.Canceled) {
		err = errors.Join(err, failed)
	}
	body, sizeErr := d.file(c.nodes[0].region, c.nodes[1].region, numbers.Load())
	report.Size = len(body)
	return samples, errors.Join(err, sizeErr)
}

// furnish imports the registers and binds the firm that is to be reminded.
func (n *benchNode) furnish(ctx context.Context, d *benchDoorData, app *httpapi.Client) error {
	operator := &httpapi.Client{URL: n.up.URL, Token: n.up.Operator}
	for _, register := range []string{exchange.RegisterAuthorities, exchange.RegisterFirms} {
		if _, err := operator.ImportRegister(ctx, register, bytes.NewReader(d.registers[register])); err != nil {
			return err
		}
	}
	return app.Bind(ctx, d.firms[n.region].uscc, httpapi.Binding{})
}

// pull reads a region's feed by long poll until ctx ends.
func (a *arrivals) pull(ctx context.Context, app *httpapi.Client) error {
	cursor := ""
	for {
		page, err := app.Reminders(ctx, cursor, 500, 20*time.Second)
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		for _, r := range page.Items {
			select {
			case a.of(r.Record) <- struct{}{}:
			default: // seen before
			}
		}
		cursor = page.Next
	}
}
