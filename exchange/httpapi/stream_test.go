package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func TestStreamResumesWhereItStopped(t *testing.T) {
	n := newNode(t)
	n.feed.add()
	n.feed.add()
	server := httptest.NewServer(n.api.Handler())
	defer server.Close()
	client := &httpapi.Client{URL: server.URL, Token: "app", HTTP: server.Client()}

	enough := errors.New("enough")
	var cursor string
	var seen []uint64
	follow := func(want int) {
		err := client.Stream(t.Context(), cursor, func(item exchange.Reminder, at string) error {
			seen, cursor = append(seen, item.Seq), at
			if len(seen) == want {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	follow(1)
	go n.feed.add()
	follow(3)
	for i, seq := range seen {
		if seq != uint64(i)+1 {
			t.Fatalf("seen %v", seen)
		}
	}
}

// leased is a token until it is revoked.
type leased struct {
	tokens
	revoked *atomic.Bool
}

func (l leased) Lookup(token string) (exchange.Principal, bool) {
	p, known := l.tokens.Lookup(token)
	return p, known && !l.revoked.Load()
}

// A stream outlives neither its token nor the node's right to serve.
func TestAStreamEndsWithTheRightToIt(t *testing.T) {
	var revoked, forked atomic.Bool
	for name, end := range map[string]*atomic.Bool{"revoked": &revoked, "forked": &forked} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, func(c *httpapi.Config) {
					c.Tokens = leased{revoked: &revoked}
					c.Stopped = func() *exchange.Error {
						if forked.Load() {
							return exchange.Fail(exchange.KindUnavailable, "FORKED", "", "")
						}
						return nil
					}
				})
				defer end.Store(false)
				time.AfterFunc(time.Minute, func() { end.Store(true) })
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				n.do(request("app", "GET", "/v1/reminders/stream", "").WithContext(ctx))
				if lasted := time.Since(began); lasted < time.Minute || lasted > 76*time.Second {
					t.Errorf("it went on for %s", lasted)
				}
			})
		})
	}
}

func TestHeadOfAStreamEnds(t *testing.T) {
	n := newNode(t)
	w := n.do(request("app", "HEAD", "/v1/reminders/stream", ""))
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream" || w.Body.Len() > 0 {
		t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
	}
}

func TestExpiredCursorIsGone(t *testing.T) {
	n := newNode(t)
	refused(t, n.get("app", "/v1/reminders?cursor=expired"), 410, "CURSOR_EXPIRED")
	refused(t, n.get("app", "/v1/reminders/stream", "Last-Event-ID", "expired"), 410, "CURSOR_EXPIRED")
	refused(t, n.get("app", "/v1/reminders/stream", "Last-Event-ID", strings.Repeat("9", 513)), 400, "PARAMETER")
}

// Who lists what is open learns first from where to pull when the list is done.
func TestOpenRemindersSayWhereToResume(t *testing.T) {
	n := newNode(t)
	n.feed.add()
	if body := n.get("app", "/v1/reminders?state=open").Body.String(); !strings.Contains(body, `"resume":"1"`) {
		t.Errorf("first page %s", body)
	}
	if body := n.get("app", "/v1/reminders?state=open&cursor=x").Body.String(); strings.Contains(body, "resume") {
		t.Errorf("later page %s", body)
	}
}

func TestPullWaitsForAnItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		began := time.Now()
		if w := n.get("app", "/v1/reminders?wait=20s"); w.Code != 200 || !strings.Contains(w.Body.String(), `"items":[]`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if waited := time.Since(began); waited != 20*time.Second {
			t.Errorf("waited %s", waited)
		}
		refused(t, n.get("app", "/v1/reminders?wait=26s"), 400, "PARAMETER")
		go func() {
			time.Sleep(time.Second)
			n.feed.add()
		}()
		began = time.Now()
		if w := n.get("app", "/v1/reminders?wait=20s"); !strings.Contains(w.Body.String(), `"seq":1`) {
			t.Errorf("%s", w.Body)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}

// A wire is a listener whose connections are pipes, so that a server's time-outs
// run by the clock of a bubble.
type wire struct {
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newWire() *wire { return &wire{calls: make(chan net.Conn), closed: make(chan struct{})} }

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.calls:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *wire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (w *wire) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	w.calls <- there
	return here, nil
}

// The read time-outs that guard against slow senders must not cut off those
// who have sent everything and wait.
func TestReadTimeoutEndsSendersNotWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, w := newNode(t), newWire()
		server := n.api.Server()
		server.ReadTimeout = 5 * time.Second
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(w) }()
		transport := &http.Transport{DialContext: w.dial}
		time.AfterFunc(20*time.Second, n.feed.add)
		client := &httpapi.Client{URL: "http://" + w.Addr().String(), Token: "app", HTTP: &http.Client{Transport: transport}}
		began := time.Now()
		pulled, err := client.Reminders(t.Context(), "", 1, 25*time.Second)
		if waited := time.Since(began); err != nil || len(pulled.Items) != 1 || waited != 20*time.Second {
			t.Errorf("%+v, %v after %s", pulled, err, waited)
		}

		// A header that never ends is cut off.
		conn, _ := w.dial(t.Context(), "", "")
		began = time.Now()
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, conn)
		if waited := time.Since(began); err != nil || waited > server.ReadHeaderTimeout+time.Second {
			t.Errorf("the slow sender was connected for %s: %v", waited, err)
		}

		// A body that never ends is no success, and no connection for ever.
		for target, token := range map[string]string{
			"POST /v1/reminders/acks": "app", "POST /v1/submissions": "agency-entry", "PUT /v1/registers/firms": "operator",
		} {
			conn, _ = w.dial(t.Context(), "", "")
			began = time.Now()
			if _, err := io.WriteString(conn, target+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\n"+
				"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n["); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			var problem httpapi.Problem
			if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil || answer.StatusCode != 400 || problem.Code != "BODY_INCOMPLETE" {
				t.Errorf("%s: half a body is answered %s %+v, %v", target, answer.Status, problem, err)
			}
			if waited := time.Since(began); waited > 30*time.Second {
				t.Errorf("%s: half a body is waited for %s", target, waited)
			}
		}
		transport.CloseIdleConnections()
		server.Close()
		<-ended
	})
}

// Shutdown ends streams and long polls, which lose nothing by it.
func TestShutdownEndsStreams(t *testing.T) {
	n := newNode(t)
	n.feed.add()
	server := n.api.Server()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	client := &httpapi.Client{URL: "http://" + listener.Addr().String(), Token: "app", HTTP: http.DefaultClient}
	stopped := make(chan error, 1)
	err = client.Stream(t.Context(), "", func(exchange.Reminder, string) error {
		go func() { stopped <- server.Shutdown(t.Context()) }()
		return nil
	})
	if !errors.Is(err, io.EOF) {
		t.Errorf("stream: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}
