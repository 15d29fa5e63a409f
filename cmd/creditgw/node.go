package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/time/rate"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/quicnet"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/selftest"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/access"
	"github.com/xinqiao/creditgw/exchange/casebook"
	"github.com/xinqiao/creditgw/exchange/feed"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/outbox"
	"github.com/xinqiao/creditgw/exchange/receipt"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/witness"
	"github.com/xinqiao/creditgw/schemas"
)

// nodeConfig is all that a node takes from the world, so that a whole cluster
// can run inside one process: serve, the demo, the benchmark and the tests
// differ only in what they put here.
type nodeConfig struct {
	Dir     string // made by init; holds everything the node keeps
	Genesis *peers.Genesis
	Self    peers.Member
	Keys    *Keys
	// Passphrase opens keys that are added while the node runs; empty: none are.
	Passphrase []byte
	Conn       net.PacketConn // UDP socket of QUIC; the node closes it
	Clock      exchange.Clock // domain clock: today, received_at
	Wall       func() time.Time
	Rand       io.Reader
	Timers     consensus.Timers
	Marking    consensus.Marking // the zero value is what serve uses
	// InFlight is the number of Raft entries under way; 0 is the LAN's.
	InFlight int
	// AckInterval is the least time between two acknowledgement statements to
	// one origin.
	AckInterval time.Duration
	// EraseRound is how long an erasure that is not urgent may wait for others;
	// 0 is an hour. Backups is how long backups are kept; 0: none are made.
	EraseRound, Backups time.Duration
	ShadowShare         float64    // of signatures verified again; 0 is off
	Rate                rate.Limit // of calls per token; 0 is the API's default
	Logger              *slog.Logger
	// Fatal ends the process: a disk that fails can't be served around.
	Fatal func(error)
}

// node is one region's gateway: the parts, joined.
type node struct {
	cfg       nodeConfig
	started   time.Time
	keys      *keyring
	endpoint  *quicnet.Endpoint
	store     *store.Store
	news      *news
	journal   *journal.Journal
	vault     *vault.Vault
	witness   *witness.Witness
	consensus *consensus.Node
	casebook  *casebook.Casebook
	tokens    *access.Store
	shadow    *selftest.Shadow
	commits   exchange.Commits
	metrics   *prometheus.Registry
	stopWork  atomic.Pointer[context.CancelCauseFunc] // once there is work

	// Made by start, once the casebook has caught up with the journal.
	drain      *outbox.Drain
	follower   *exchange.Follower
	statements *exchange.Statements
	eraser     *exchange.Eraser
	anchors    *exchange.Anchors
	api        *httpapi.API
	checks     *checks

	closers []func() error // in the order of opening
}

// openNode opens what the node keeps and begins to take part in Raft. It
// refuses a directory that could make it vote without memory.
func openNode(cfg nodeConfig) (n *node, err error) {
	n = &node{cfg: cfg, started: cfg.Wall(), keys: newKeyring(cfg), metrics: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	n.closers = append(n.closers, ignoreClosed(cfg.Conn.Close))
	if err := n.lock(); err != nil {
		return n, err
	}
	n.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := n.openPrivate(); err != nil {
		return n, err
	}
	if err := n.openShared(); err != nil {
		return n, err
	}
	return n, n.openCasebook()
}

func (n *node) path(name string) string { return filepath.Join(n.cfg.Dir, name) }

func (n *node) openPrivate() (err error) {
	secret, err := exchange.NewIDSecret(n.cfg.Keys.IDSecret)
	if err != nil {
		return err
	}
	if n.vault, err = vault.Open(vault.Config{Path: n.path("vault"), Secret: secret, Rand: n.cfg.Rand, Fatal: n.cfg.Fatal}); err != nil {
		return err
	}
	n.closers = append(n.closers, n.vault.Close)
	n.journal, err = journal.Open(journal.Config{Dir: n.path("journal"), Logger: n.cfg.Logger, Fatal: n.cfg.Fatal})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.journal.Close)
	n.tokens, err = access.Open(access.Config{Dir: n.cfg.Dir, Clock: n.cfg.Wall, Rand: n.cfg.Rand, Logger: n.cfg.Logger})
	if err != nil {
		return err
	}
	return os.MkdirAll(n.path("spool"), 0o700)
}

// openShared opens the replicated state, then the network, then Raft: nothing
// from outside is answered before what it would touch is there.
func (n *node) openShared() (err error) {
	ledger := n.cfg.Genesis.LedgerID()
	n.shadow, err = selftest.NewShadow(n.cfg.ShadowShare, func(d selftest.Disagreement) {
		n.cfg.Logger.Error("two implementations of SM2 disagree on a signature", "alarm", true, "detail", fmt.Sprint(d))
	})
	if err != nil {
		return err
	}
	n.store, err = store.Open(store.Config{
		Dir: n.path("ledger"), Genesis: n.cfg.Genesis, Logger: n.cfg.Logger, Fatal: n.cfg.Fatal, Verified: n.verified(ledger),
	})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.store.Close)
	n.news = &news{genesis: n.cfg.Genesis, store: n.store, logger: n.cfg.Logger.Info}
	n.endpoint, err = quicnet.Listen(quicnet.Config{
		ID: n.cfg.Self.Node.ID, Address: n.cfg.Self.Node.Addr, Key: n.nodeKey, Ledger: ledger, Conn: n.cfg.Conn,
		Directory: n.peer, News: n.news, CheckPayload: consensus.CheckPayload, Logger: n.cfg.Logger, Rand: n.cfg.Rand,
	})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, ignoreClosed(n.endpoint.Close))
	if err := n.openWitness(); err != nil {
		return err
	}
	n.news.receipts.Store(&receipt.Builder{Ledger: n.store, Checkpoints: checkpoints{n.witness}})
	n.consensus, err = consensus.Open(consensus.Config{
		ID: n.cfg.Self.Node.ID, Dir: n.path("raft"), Servers: founders(n.cfg.Genesis).Configuration(),
		Directory: &membership{store: n.store}, Network: n.endpoint, StateMachine: n.store,
		Ledger: ledger, Key: n.nodeKey, NodeKeys: n.nodeKeys, Timers: n.cfg.Timers, InFlight: n.cfg.InFlight,
		Marking: n.cfg.Marking, Marked: n.marked, Witness: snapshotWitness{n.witness, n.store}, Floor: n.witness.Floor(),
		Logger: n.cfg.Logger, Fatal: n.cfg.Fatal, Rand: n.cfg.Rand,
	})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.consensus.Shutdown)
	return nil
}

func (n *node) verified(ledger sm.Digest) func(bool, *sm.BatchPublic, []byte, []byte) {
	if n.shadow == nil {
		return nil
	}
	return func(ok bool, key *sm.BatchPublic, preamble, signature []byte) {
		n.shadow.Observe(key, sm.LabelBatch, ledger, preamble, signature, ok)
	}
}

func (n *node) openCasebook() error {
	secret, err := exchange.NewIDSecret(n.cfg.Keys.IDSecret)
	if err != nil {
		return err
	}
	n.casebook, err = casebook.Open(casebook.Config{
		Dir: n.path("casebook"), Region: n.cfg.Self.Region, Ledger: n.store, Checkpoints: checkpoints{n.witness}, LedgerID: n.cfg.Genesis.LedgerID(),
		Journal: n.journal, Vault: n.vault, Decryptions: n.decryptionKeys, IDSecret: secret,
		Catalogue: schemas.Default(), Logger: n.cfg.Logger, Fatal: n.cfg.Fatal,
	})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.casebook.Close)
	return nil
}

// join makes the parts that need to know where the casebook stands.
func (n *node) join() error {
	secret, err := exchange.NewIDSecret(n.cfg.Keys.IDSecret)
	if err != nil {
		return err
	}
	cfg := n.cfg
	ledger := cfg.Genesis.LedgerID()
	slots := exchange.NewSlots(n.vault, n.casebook.NextSlot())
	sealer := exchange.Sealer{Ledger: ledger, Region: cfg.Self.Region, Secret: secret, Rand: cfg.Rand}
	n.drain = outbox.New(outbox.Config{
		Cutter:  outbox.Cutter{Ledger: ledger, Region: cfg.Self.Region, Keys: n.batchKeys, Secrets: envelope.NewSecrets(cfg.Rand)},
		Clock:   cfg.Clock,
		Journal: n.journal, Vault: n.vault, Casebook: n.casebook, Ledger: n.store, Proposer: proposer{n.consensus},
		CaughtUp: n.linearize, Logger: cfg.Logger,
	})
	n.follower = &exchange.Follower{
		Region: cfg.Self.Region, Clock: cfg.Clock, Ledger: n.store, Journal: n.journal, Slots: slots, Commits: &n.commits,
	}
	n.statements = &exchange.Statements{
		Sealer: sealer, Clock: cfg.Clock, Interval: cfg.AckInterval, Casebook: n.casebook, Journal: n.journal,
		Vault: n.vault, Slots: slots,
	}
	n.eraser = n.newEraser(sealer, slots)
	n.anchors = &exchange.Anchors{
		Sealer: sealer, Clock: cfg.Clock, Book: n.casebook, Journal: n.journal,
		Now: time.Second, Soon: time.Minute, Later: time.Hour,
	}
	service := exchange.NewService(exchange.Config{
		Region: cfg.Self.Region, Node: cfg.Self.Node.ID, Clock: cfg.Clock, Sealer: sealer, Journal: n.journal, Checkpoints: checkpoints{n.witness},
		Vault: n.vault, Slots: slots, Casebook: n.casebook, Ledger: n.store, Commits: &n.commits,
		Spool: n.path("spool"), Catalogue: schemas.Default(),
	})
	proofs := &receipts{
		ledger: ledger, region: cfg.Self.Region, key: n.batchKey, casebook: n.casebook,
		builder: receipt.Builder{Ledger: n.store, Checkpoints: checkpoints{n.witness}},
	}
	n.checks = newChecks(n)
	n.api, err = httpapi.New(httpapi.Config{
		Region: cfg.Self.Region, Service: service, Casebook: n.casebook, Ledger: n.store, Receipts: proofs,
		Checkpoints: checkpoints{n.witness}, Stopped: n.stopped,
		Feed: feed.New(n.casebook, cfg.Clock), Tokens: n.tokens, Catalogue: schemas.Default(), Clock: cfg.Clock,
		Linearize: n.linearize, Status: n.status, Ready: n.ready, Checks: n.checks, Metrics: n.metrics, Rate: cfg.Rate, Logger: cfg.Logger,
	})
	return err
}

func (n *node) linearize(ctx context.Context) error {
	_, err := n.consensus.ReadIndex(ctx)
	return err
}

// Close closes what openNode opened, last first.
func (n *node) Close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i]())
	}
	n.closers = nil
	return errors.Join(errs...)
}

// ignoreClosed makes closing twice harmless: the endpoint closes its socket
// when Raft closes the endpoint.
func ignoreClosed(close func() error) func() error {
	return func() error {
		if err := close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// proposer gives consensus' answers the type that the outbox reads.
type proposer struct{ node *consensus.Node }

func (p proposer) Start(ctx context.Context, batch []byte) func() (exchange.BatchResult, error) {
	wait := p.node.Start(ctx, batch)
	return func() (exchange.BatchResult, error) {
		out, err := wait()
		if err != nil {
			return exchange.BatchResult{}, err
		}
		r, ok := out.Result.(exchange.BatchResult)
		if !ok {
			return r, fmt.Errorf("the ledger is stopped: %v", out.Result)
		}
		return r, nil
	}
}
