package feed

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

// Lifetime of a cursor. A client that was away longer takes the open reminders
// and starts from Latest.
const Lifetime = 30 * 24 * time.Hour

const (
	cursorVersion = 1
	cursorSize    = 1 + 8 + 8
)

// position is what a cursor says: docs/formats/casebook.md.
type position struct {
	seq    uint64
	issued int64 // Unix seconds
}

func (p position) String() string {
	raw := make([]byte, 0, cursorSize)
	raw = append(raw, cursorVersion)
	raw = binary.BigEndian.AppendUint64(raw, p.seq)
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.issued))
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parse reads a cursor in its one spelling.
func parse(cursor string) (position, error) {
	if len(cursor) != base64.RawURLEncoding.EncodedLen(cursorSize) {
		return position{}, malformed()
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) != cursorSize || raw[0] != cursorVersion {
		return position{}, malformed()
	}
	p := position{seq: binary.BigEndian.Uint64(raw[1:]), issued: int64(binary.BigEndian.Uint64(raw[9:]))}
	if p.issued < 0 || p.seq > 1<<62 {
		return position{}, malformed()
	}
	return p, nil
}

// cursor makes the cursor behind an item.
func (f *Feed) cursor(seq uint64) string { return position{seq, f.clock().Unix()}.String() }

// resume gives the seq behind which a client goes on; "" is the beginning.
func (f *Feed) resume(cursor string) (after uint64, err error) {
	if cursor == "" {
		return 0, nil
	}
	p, err := parse(cursor)
	if err != nil {
		return 0, err
	}
	if f.clock().Unix()-p.issued > int64(Lifetime/time.Second) {
		return 0, expired()
	}
	return p.seq, nil
}

func malformed() error {
	e := exchange.Fail(exchange.KindInvalid, "CURSOR", "cursor 无效", "the cursor is not valid")
	e.Hint = schemas.Text{
		ZH: "请原样使用上次返回的 next；首次拉取不带 cursor",
		EN: "use the last answer's next unchanged; leave cursor out to begin",
	}
	return e
}

func expired() error {
	e := exchange.Fail(exchange.KindGone, "CURSOR_EXPIRED", "cursor 已失效（有效期30天）", "the cursor has expired; it lives for 30 days")
	e.Hint = schemas.Text{
		ZH: "请用 ?state=open 取回全部未办提醒，再以首页的 resume 为 cursor 继续拉取",
		EN: "take the open reminders with ?state=open and go on with the first page's resume as cursor",
	}
	return e
}
