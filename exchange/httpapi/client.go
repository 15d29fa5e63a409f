package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client calls the API of one node. An answer that is a problem comes as a
// *Problem, no answer as an error that is ErrUnreachable. It holds no state
// and is safe for concurrent use.
type Client struct {
	URL   string // such as https://gateway.example:8600
	Token string // bearer; never printed
	Lang  string // "zh" or "en", for texts in answers; "" is the server's choice
	HTTP  *http.Client
}

// ErrUnreachable means that no gateway answered: whether the request was done
// is not known. Everything may be sent again; nothing is doubled.
var ErrUnreachable = errors.New("the gateway could not be reached")

// maxAnswer bounds what the client reads of one JSON answer.
const maxAnswer = 64 << 20

// call is one request.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         io.Reader
	size         int64 // of body, when known and not told by its type
	also         int   // a status that answers too, besides 2xx
}

// do sends a call and returns the answer if it is a success.
func (c *Client) do(ctx context.Context, k call) (*http.Response, error) {
	target, err := url.JoinPath(c.URL, k.path)
	if err != nil {
		return nil, fmt.Errorf("url of the gateway: %w", err)
	}
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, k.method, target, k.body)
	if err != nil {
		return nil, fmt.Errorf("url of the gateway: %w", err)
	}
	if k.header != nil {
		r.Header = k.header
	}
	if k.size > 0 {
		r.ContentLength = k.size
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Lang != "" {
		r.Header.Set("Accept-Language", c.Lang)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if answer.StatusCode/100 == 2 || answer.StatusCode == k.also {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, problemOf(answer)
}

// problemOf reads the problem of an answer. What stands in between, such as a
// proxy, answers in its own words: of those only the status is kept.
func problemOf(answer *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	p := new(Problem)
	if err == nil && isProblem(answer.Header.Get("Content-Type")) && json.Unmarshal(raw, p) == nil && p.Code != "" {
		p.Status = answer.StatusCode
		return p
	}
	p = &Problem{Type: "about:blank", Title: http.StatusText(answer.StatusCode), Status: answer.StatusCode, Code: "HTTP_STATUS", Detail: answer.Status}
	if answer.StatusCode == http.StatusBadGateway || answer.StatusCode == http.StatusGatewayTimeout {
		return fmt.Errorf("%w: %w", ErrUnreachable, p)
	}
	return p
}

// get calls and reads a JSON answer.
func get[T any](ctx context.Context, c *Client, k call) (T, error) {
	var v T
	answer, err := c.do(ctx, k)
	if err != nil {
		return v, err
	}
	defer answer.Body.Close()
	return v, readAnswer(answer.Body, &v)
}

func readAnswer(body io.Reader, into any) error {
	limited := &io.LimitedReader{R: body, N: maxAnswer + 1}
	raw, err := io.ReadAll(limited)
	if err != nil {
		return fmt.Errorf("%w: answer cut off: %w", ErrUnreachable, err)
	}
	if len(raw) > maxAnswer {
		return fmt.Errorf("answer of more than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("answer is not what this client reads: %w", err)
	}
	return nil
}

// send calls without expecting an answer's body.
func (c *Client) send(ctx context.Context, k call) error {
	answer, err := c.do(ctx, k)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func jsonBody(v any) (io.Reader, http.Header, error) {
	raw, err := json.Marshal(v)
	return bytes.NewReader(raw), http.Header{"Content-Type": {MediaJSON}}, err
}

// path joins segments, escaping each.
func path(segments ...string) string {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "/v1/" + strings.Join(segments, "/")
}
