package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/xinqiao/creditgw/exchange"
)

// maxOpen bounds one token's requests that are under way: long polls, streams
// and slow bodies last, and each holds a connection and wakes with every event.
const maxOpen = 256

// allowance is what one token may take of the node.
type allowance struct {
	rate *rate.Limiter
	open int // under API.mu
}

// enter counts a request of p until leave.
func (a *API) enter(w http.ResponseWriter, p exchange.Principal) (leave func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.allowances[p.ID]
	if l == nil {
		l = &allowance{rate: rate.NewLimiter(a.Rate, a.Burst)}
		a.allowances[p.ID] = l // as many as there are tokens
	}
	if l.open >= maxOpen {
		return nil, exchange.Fail(exchange.KindBusy, "TOO_MANY_OPEN", "此令牌同时进行的请求过多，请等其中一些结束",
			"too many requests of this token are under way; let some of them end")
	}
	reservation := l.rate.Reserve()
	if delay := reservation.Delay(); delay > 0 {
		reservation.Cancel()
		w.Header().Set("Retry-After", strconv.Itoa(int(delay/time.Second)+1))
		return nil, exchange.Fail(exchange.KindBusy, "RATE", "请求过于频繁，请按 Retry-After 重试", "too many requests; come again after Retry-After")
	}
	l.open++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		l.open--
	}, nil
}
