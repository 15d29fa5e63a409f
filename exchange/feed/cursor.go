package feed

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

// Lifetime of a cursor. A client that was away longer takes the open reminders
// and starts from Latest.
const Lifetime = 30 * 24 * time.Hour

const (
	cursorVersion = 2
	cursorSize    = 1 + 8 + 8 + tagSize
	tagSize       = 8
)

// position is what a cursor says: docs/formats/casebook.md.
type position struct {
	seq    uint64
	issued int64         // Unix seconds
	tag    [tagSize]byte // of the item at seq; zeros before the first
}

func (p position) String() string {
	raw := make([]byte, 0, cursorSize)
	raw = append(raw, cursorVersion)
	raw = binary.BigEndian.AppendUint64(raw, p.seq)
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.issued))
	raw = append(raw, p.tag[:]...)
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
	copy(p.tag[:], raw[17:])
	if p.issued < 0 || p.seq > 1<<62 {
		return position{}, malformed()
	}
	return p, nil
}

// cursor makes the cursor behind an item; 0 is before the first.
func (f *Feed) cursor(seq uint64) (string, error) {
	p := position{seq: seq, issued: f.clock().Unix()}
	if seq > 0 {
		var err error
		if p.tag, err = f.source.FeedTag(seq); err != nil {
			return "", err
		}
	}
	return p.String(), nil
}

// resume gives the seq behind which a client goes on; "" is the beginning. A
// cursor whose item is not at its place would pass over others.
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
	if p.seq == 0 {
		return 0, nil
	}
	tag, err := f.source.FeedTag(p.seq)
	if errors.Is(err, exchange.ErrNotFound) || err == nil && tag != p.tag {
		return 0, expired()
	}
	return p.seq, err
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
	e := exchange.Fail(exchange.KindGone, "CURSOR_EXPIRED", "cursor 已失效：超过30天，或不属于本网关现在的提醒流",
		"the cursor has expired: it is over 30 days old, or not of this gateway's feed as it is now")
	e.Hint = schemas.Text{
		ZH: "请用 ?state=open 取回全部未办提醒，再以首页的 resume 为 cursor 继续拉取",
		EN: "take the open reminders with ?state=open and go on with the first page's resume as cursor",
	}
	return e
}
