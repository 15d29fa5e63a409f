package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// tell carries the samples door to door through the HTTP API, as agencies, the
// credit centres and the app would, and checks what came of it.
func (p *program) tell(ctx context.Context, d *demo, s samples) (demoReport, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var report demoReport
	for _, r := range d.regions {
		select {
		case <-r.up:
		case <-ctx.Done():
			return report, errors.New("the nodes do not come up")
		}
		if err := errors.Join(r.grant("operator", exchange.RoleOperator, exchange.Scope{}), r.grant("app", exchange.RoleApp, exchange.Scope{}),
			r.grant("auditor", exchange.RoleAuditor, exchange.Scope{})); err != nil {
			return report, err
		}
		if err := s.importRegisters(ctx, r); err != nil {
			return report, err
		}
	}
	p.narrate(text{"四个节点已联通，名录已导入。", "four nodes are connected, the registers imported."})
	for _, f := range s.manifest.Files {
		told, err := d.submit(ctx, s, f)
		if err != nil {
			return report, fmt.Errorf("%s: %w", f.File, err)
		}
		report.Files = append(report.Files, told)
		p.narrate(text{"%s %s：受理 %d，退回 %d，重复 %d", "%s %s: accepted %d, quarantined %d, duplicate %d"},
			f.Region, f.File, told.Accepted, told.Quarantined, told.Duplicate)
	}
	if d.sample != nil {
		if err := p.remind(ctx, d); err != nil {
			return report, err
		}
	}
	return report, d.check(ctx, &report)
}

// submit sends one file as its agency does, at the time it was received.
func (d *demo) submit(ctx context.Context, s samples, f sampleFile) (demoFile, error) {
	told := demoFile{File: f.File}
	r, err := d.region(f.Region)
	if err != nil {
		return told, err
	}
	d.clock.Set(f.ReceivedAt)
	name := "agency-entry"
	switch r.agency {
	case "":
		r.agency = f.Submitter
	case f.Submitter:
	default:
		name += "-" + f.Submitter
	}
	unit := []string{f.Submitter}
	if err := r.grant(name, exchange.RoleAgencyEntry, exchange.Scope{Units: unit, Sources: unit}); err != nil {
		return told, err
	}
	body, err := s.Open(f.File)
	if err != nil {
		return told, err
	}
	defer body.Close()
	v, err := r.client(name).Submit(ctx, httpapi.File{Body: body, Kind: f.Kind, Wait: exchange.WaitCommitted})
	if err != nil {
		return told, err
	}
	told.Submission = v.ID
	told.Received, told.Accepted, told.Quarantined, told.Duplicate, told.ByRule = v.Received, v.Accepted, v.Quarantined, v.Duplicate, v.ByRule
	if v.Received != v.Accepted+v.Quarantined+v.Duplicate {
		return told, fmt.Errorf("received %d is not accepted %d + quarantined %d + duplicate %d", v.Received, v.Accepted, v.Quarantined, v.Duplicate)
	}
	if d.sample == nil {
		for _, row := range v.Records {
			if row.State.OnLedger() && row.Subject != "" {
				d.sample, d.origin, d.home, d.subject, d.sender = row.ID, r, row.Home, row.Subject, name
				break
			}
		}
	}
	return told, nil
}

// remind follows one notice to its end: the firm binds the app, the app pulls
// the reminder and says that it was read, and the fining agency sees it.
func (p *program) remind(ctx context.Context, d *demo) error {
	home, err := d.region(d.home)
	if err != nil {
		return err
	}
	if err := home.await(ctx, func() (bool, error) { return home.casebook.Followed() >= d.origin.store.Head().Size, nil }); err != nil {
		return fmt.Errorf("region %s does not read the ledger: %w", d.home, err)
	}
	app := home.client("app")
	if err := app.Bind(ctx, d.subject, httpapi.Binding{}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	page, err := app.Reminders(ctx, "", 100, 5*time.Second)
	if err != nil {
		return fmt.Errorf("pull reminders: %w", err)
	}
	i := slices.IndexFunc(page.Items, func(r exchange.Reminder) bool { return r.Record == *d.sample })
	if i < 0 {
		return errors.New("the reminder did not come")
	}
	reminder := page.Items[i]
	if p.Lang != command.Chinese {
		reminder = reminder.In("en")
	}
	p.narrate(text{"%s 的企业收到提醒：%s", "a firm of %s is reminded: %s"}, d.home, reminder.Title)
	answer, err := app.Acknowledge(ctx, []httpapi.Ack{{ID: reminder.ID, State: exchange.AckDelivered}, {ID: reminder.ID, State: exchange.AckRead}})
	if err != nil || answer.Acks[len(answer.Acks)-1].Result != exchange.AckOK {
		return fmt.Errorf("acknowledge: %v %w", answer.Acks, err)
	}
	agency := d.origin.client(d.sender)
	err = d.origin.await(ctx, func() (bool, error) {
		record, err := agency.Record(ctx, *d.sample)
		return slices.ContainsFunc(record.Deliveries, func(x exchange.Delivery) bool { return x.State == exchange.AckRead }), err
	})
	if err != nil {
		return fmt.Errorf("the acknowledgement is not seen at the fining agency: %w", err)
	}
	p.narrate(text{"处罚机关（%s）看到：已读。", "the fining agency in %s sees: read."}, d.origin.cfg.Self.Region)
	return nil
}

// await waits for a condition that only a further fold of the casebook can
// bring about.
func (r *demoNode) await(ctx context.Context, done func() (bool, error)) error {
	for {
		seen := r.casebook.Position()
		if ok, err := done(); ok || err != nil {
			return err
		}
		if err := r.casebook.WaitFor(ctx, seen+1); err != nil {
			return err
		}
	}
}

// check waits until all have read the whole ledger and compares what they have
// with what was sent.
func (d *demo) check(ctx context.Context, report *demoReport) error {
	var size uint64
	for _, r := range d.regions {
		size = max(size, r.store.Head().Size)
	}
	addressed := map[string]int{}
	for _, r := range d.regions {
		if err := r.await(ctx, func() (bool, error) { return r.casebook.Followed() >= size, nil }); err != nil {
			return fmt.Errorf("region %s does not read the whole ledger: %w", r.cfg.Self.Region, err)
		}
	}
	if err := eachEntry(d.regions[0].store, size, func(e *exchange.Entry) {
		if e.Header.Class == exchange.ClassRecord {
			for _, to := range e.Header.Recipients {
				addressed[string(to)]++
			}
		}
	}); err != nil {
		return err
	}
	for _, r := range d.regions {
		if err := r.witness.Wait(ctx, size); err != nil {
			return fmt.Errorf("region %s has no witnessed checkpoint of the whole ledger: %w", r.cfg.Self.Region, err)
		}
	}
	first, err := d.regions[0].store.RootAt(size)
	if err != nil {
		return err
	}
	for _, r := range d.regions {
		root, err := r.store.RootAt(size)
		if err != nil {
			return err
		}
		counts, err := r.casebook.Counts()
		if err != nil {
			return err
		}
		code := string(r.cfg.Self.Region)
		if root != first {
			return fmt.Errorf("region %s has another root at size %d", code, size)
		}
		if counts.Opened != addressed[code] {
			return fmt.Errorf("region %s opened %d records of %d addressed to it", code, counts.Opened, addressed[code])
		}
		report.Regions = append(report.Regions, demoRegion{
			Region: code, LedgerSize: size, Root: root.String(), Witnessed: r.witness.Status().Size, Opened: counts.Opened,
			Reminders: map[string]int{string(exchange.StageIssued): counts.Reminders[exchange.StageIssued]},
		})
		report.Leader = r.status().Leader
	}
	latest, _ := d.regions[0].witness.Latest()
	report.Checkpoint = string(latest.Marshal())
	return nil
}

// eachEntry visits the first size entries of a ledger.
func eachEntry(l exchange.Ledger, size uint64, visit func(*exchange.Entry)) error {
	for from := uint64(0); from < size; {
		entries, err := l.Entries(from, int(min(size-from, 512)))
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return io.ErrUnexpectedEOF
		}
		for i := range entries {
			visit(&entries[i])
		}
		from += uint64(len(entries))
	}
	return nil
}
