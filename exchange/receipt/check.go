package receipt

import (
	"github.com/xinqiao/creditgw/schemas"
)

// Check is one thing that was verified and holds.
type Check struct {
	Code string       `json:"check"`
	Text schemas.Text `json:"-"`
}

// Failure is a check that does not hold. What was checked before it does.
type Failure struct {
	Code  string
	Text  schemas.Text
	Cause error // technical, without personal data
}

func (f *Failure) Error() string {
	if f.Cause == nil {
		return f.Code + ": " + f.Text.EN
	}
	return f.Code + ": " + f.Text.EN + ": " + f.Cause.Error()
}

func (f *Failure) Unwrap() error { return f.Cause }

// The checks, in the order in which they are made. Texts are of the check that
// holds and of the one that does not.
type step struct {
	code       string
	holds, not schemas.Text
}

var (
	stepForm = step{"FORM",
		schemas.Text{ZH: "文件是格式唯一的凭证", EN: "the file is a receipt in its one spelling"},
		schemas.Text{ZH: "文件不是凭证，或已被改动", EN: "the file is no receipt, or was changed"}}
	stepGenesis = step{"GENESIS",
		schemas.Text{ZH: "创世文件有全体创始地区的签名", EN: "every founder signed the genesis"},
		schemas.Text{ZH: "创世文件缺少有效签名", EN: "the genesis lacks a valid signature of a founder"}}
	stepHandover = step{"HANDOVERS",
		schemas.Text{ZH: "见证方的每次变更都由变更前的见证方多数联署", EN: "each change of the witnesses was cosigned by a quorum of those before it"},
		schemas.Text{ZH: "见证方变更没有得到证明", EN: "a change of the witnesses is not shown"}}
	stepCheckpoint = step{"CHECKPOINT",
		schemas.Text{ZH: "检查点有足够地区的见证签名", EN: "enough regions cosigned the checkpoint"},
		schemas.Text{ZH: "检查点没有足够地区的有效见证签名", EN: "too few regions validly cosigned the checkpoint"}}
	stepLeaf = step{"LEDGER",
		schemas.Text{ZH: "条目在检查点所示账本的该序号上", EN: "the entry is at its place on the ledger of the checkpoint"},
		schemas.Text{ZH: "未证明条目在该账本上", EN: "the entry is not shown to be on that ledger"}}
	stepBefore = step{"BEFORE",
		schemas.Text{ZH: "较早的检查点同样经见证，且尚不含该条目", EN: "an earlier witnessed checkpoint does not have the entry yet"},
		schemas.Text{ZH: "较早的检查点无效", EN: "the earlier checkpoint does not hold"}}
	stepKey = step{"KEY",
		schemas.Text{ZH: "签名所用密钥当时是来源地区的批次密钥", EN: "the signing key was the origin's batch key at that place"},
		schemas.Text{ZH: "签名密钥不是来源地区当时的批次密钥", EN: "the signing key was not the origin's batch key at that place"}}
	stepBatch = step{"BATCH",
		schemas.Text{ZH: "来源地区对含该条目的批次的签名有效", EN: "the origin's signature over the batch with this entry holds"},
		schemas.Text{ZH: "来源地区的批次签名不成立", EN: "the origin's signature over the batch does not hold"}}
	stepTicket = step{"TICKET",
		schemas.Text{ZH: "来源地区的受理签名有效", EN: "the origin's signature of acceptance holds"},
		schemas.Text{ZH: "受理签名不成立", EN: "the signature of acceptance does not hold"}}
	stepContent = step{"CONTENT",
		schemas.Text{ZH: "披露的内容就是条目所承诺的内容", EN: "the disclosed content is what the entry commits to"},
		schemas.Text{ZH: "披露的内容不是条目所承诺的内容", EN: "the disclosed content is not what the entry commits to"}}
	stepAuthor = step{"AUTHOR",
		schemas.Text{ZH: "署名块所称的签名成立", EN: "the signatures that its author block speaks of hold"},
		schemas.Text{ZH: "署名块所称的签名不成立", EN: "a signature that its author block speaks of does not hold"}}
)

func (s step) fail(cause error) *Failure { return &Failure{s.code, s.not, cause} }
