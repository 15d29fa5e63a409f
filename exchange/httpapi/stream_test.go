package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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

// serve runs the API as a node does, with its time-outs.
func serve(t *testing.T, n *node, change func(*http.Server)) (url string, server *http.Server) {
	t.Helper()
	server = n.api.Server()
	change(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String(), server
}

// The read time-out that guards against slow senders must not cut off those
// who have sent everything and wait.
func TestReadTimeoutEndsSendersNotWaiters(t *testing.T) {
	n := newNode(t)
	url, _ := serve(t, n, func(s *http.Server) { s.ReadTimeout, s.ReadHeaderTimeout = 50*time.Millisecond, 50*time.Millisecond })
	timer := time.AfterFunc(200*time.Millisecond, n.feed.add)
	defer timer.Stop()
	client := &httpapi.Client{URL: url, Token: "app", HTTP: http.DefaultClient}
	pulled, err := client.Reminders(t.Context(), "", 1, 20*time.Second)
	if err != nil || len(pulled.Items) != 1 {
		t.Errorf("%+v, %v", pulled, err)
	}

	// A header that never ends is cut off.
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadString('!'); errors.Is(err, context.DeadlineExceeded) || err == nil || isTimeout(err) {
		t.Errorf("the slow sender is still connected: %v", err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// Shutdown ends streams and long polls, which lose nothing by it.
func TestShutdownEndsStreams(t *testing.T) {
	n := newNode(t)
	n.feed.add()
	url, server := serve(t, n, func(*http.Server) {})
	client := &httpapi.Client{URL: url, Token: "app", HTTP: http.DefaultClient}
	stopped := make(chan error, 1)
	err := client.Stream(t.Context(), "", func(exchange.Reminder, string) error {
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
