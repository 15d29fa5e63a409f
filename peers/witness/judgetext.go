package witness

import (
	"fmt"
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// The checks of a bundle, in the order in which they are made. Texts are of the
// check that holds and of the one that does not.
type step struct {
	code       string
	holds, not schemas.Text
}

var (
	stepForm = step{"FORM",
		schemas.Text{ZH: "文件是证据包", EN: "the file is a bundle of evidence"},
		schemas.Text{ZH: "文件不是证据包，或已被改动", EN: "the file is no bundle of evidence, or was changed"}}
	stepGenesis = step{"GENESIS",
		schemas.Text{ZH: "创世文件有全体创始地区的签名，证据属于该账本", EN: "every founder signed the genesis, and the bundle is of its ledger"},
		schemas.Text{ZH: "创世文件缺少有效签名，或证据属于另一账本", EN: "the genesis lacks a valid signature of a founder, or the bundle is of another ledger"}}
	stepMembers = step{"MEMBERS",
		schemas.Text{ZH: "成员文件自创世文件起逐次可证", EN: "the members file follows from the genesis, change by change"},
		schemas.Text{ZH: "成员文件不能由创世文件证明", EN: "the members file does not follow from the genesis"}}
	stepSigned = step{"SIGNED",
		schemas.Text{ZH: "双方陈述中已知密钥的签名都有效", EN: "what known keys signed of both statements holds"},
		schemas.Text{ZH: "有一项签名无效", EN: "a signature does not hold"}}
	stepContradiction = step{"CONTRADICT",
		schemas.Text{ZH: "签过的内容彼此矛盾，与证据种类相符", EN: "what was signed contradicts, as the bundle's kind says"},
		schemas.Text{ZH: "签过的内容不能说明证据所称的矛盾", EN: "what was signed does not show the contradiction that the bundle claims"}}
	stepGuilty = step{"NAMED",
		schemas.Text{ZH: "证据只点名了签名所证明的密钥", EN: "the bundle names nobody but by the signatures"},
		schemas.Text{ZH: "证据点名的密钥没有被签名证明", EN: "the bundle names a key that the signatures do not"}}
)

// shows puts into words what holds.
func (j *Judgment) shows() {
	zh, en := listed(j.otherBy)
	switch j.Kind {
	case KindForked:
		j.prove("在账本长度 %[1]d 处，地区 %[2]s 的见证密钥签署了同一个根，足以构成见证；地区 %[4]s 节点的陈述是另一个根",
			"at ledger size %[1]d the witness keys of regions %[3]s signed one root, enough to witness it; the node of region %[4]s states another", j.Size, zh, en, j.Region)
	case KindDisagreement:
		j.prove("在账本长度 %[1]d 处，地区 %[2]s 的见证密钥签署的陈述与地区 %[4]s 节点的不同",
			"at ledger size %[1]d the witness keys of regions %[3]s signed another statement than the node of region %[4]s makes", j.Size, zh, en, j.Region)
	case KindRewritten:
		j.prove("地区 %[2]s 的见证密钥在账本长度 %[1]d 处签署过一个根；该地区节点如今的陈述是另一个根",
			"the witness key of region %[2]s signed a root at ledger size %[1]d; that region's node states another now", j.Size, j.Region)
	case KindRolledBack:
		j.prove("地区 %[3]s 的见证密钥签署过账本长度 %[1]d；该地区节点只记得 %[2]d",
			"the witness key of region %[3]s signed ledger size %[1]d; that region's node remembers %[2]d", j.Size, j.own.Size, j.Region)
	case KindMarkDiffers:
		j.prove("节点 %[2]s 的密钥在任期 %[3]d 标记了账本长度 %[1]d 的根；地区 %[4]s 节点的陈述是另一个根",
			"the key of node %[2]s marked a root at ledger size %[1]d in term %[3]d; the node of region %[4]s states another", j.Size, j.marks[0].Signer, j.marks[0].Term, j.Region)
	}
	for _, g := range j.Guilty {
		if g.Node != "" {
			j.prove("节点 %[2]s 的密钥为同一账本长度 %[1]d 标记了两个不同的根，其中至少一个是假的",
				"the key of node %[2]s marked two roots of one ledger size, %[1]d: at least one of them is false", j.Size, g.Node)
		} else {
			j.prove("地区 %[2]s 的见证密钥 %[3]s 为同一账本长度 %[1]d 签署了两份不同的陈述，其中至少一份是假的",
				"the witness key %[3]s of region %[2]s signed two statements of one ledger size, %[1]d: at least one of them is false", j.Size, g.Region, g.Key)
		}
	}
	j.doubt()
}

// doubt puts into words what does not follow.
func (j *Judgment) doubt() {
	if len(j.Guilty) == 0 {
		j.leave("哪一方的账本是对的、谁造成了差异：与他人不同不等于有过错，没有密钥被证明签过假内容",
			"whose ledger is right, and who caused the difference: to differ is no guilt, and no key is shown to have signed anything false")
	} else {
		j.leave("是谁使用了该密钥", "who used the key")
	}
	for _, g := range j.Guilty {
		if from, yes := j.suspected(g); yes {
			j.leave("该签名出自密钥的主人：地区 %[1]s 的密钥后来被撤销，自账本长度 %[2]d 起可疑",
				"that the key was in its owner's hands: one of region %[1]s was revoked later, and is suspect from ledger size %[2]d on", j.regionOf(g), from)
		}
	}
	if !slices.Contains(j.ownBy, j.Region) && j.Kind != KindTwoMarks {
		j.leave("地区 %[1]s 节点自己的陈述：没有它的签名，只是其一面之词", "what the node of region %[1]s states itself: it has not signed it, and it is its word only", j.Region)
	}
	if j.strangers > 0 {
		j.leave("%[1]d 项签名未作判断：截至账本长度 %[2]d 所知的成员中，签名密钥在该处无效或没有（可能是之后加入或轮换的）；向任一地区取较新的成员文件（creditctl member proof），用 --members 再核验一次",
			"%[1]d signatures were not judged: of the members known as of ledger size %[2]d their keys were not good there, or are nobody's (they may have joined or been rotated later); get a newer members file from any region (creditctl member proof) and verify again with --members", j.strangers, j.known.Size)
	}
	if j.Size > j.known.Size {
		j.leave("这些密钥在账本长度 %[1]d 处是否仍有效：成员变更只知道到长度 %[2]d；成员文件（--members）给出之后的变更",
			"whether these keys were still good at ledger size %[1]d: changes of members are known up to size %[2]d; a members file (--members) shows later ones", j.Size, j.known.Size)
	}
	j.leave("发生的时间：证据上的时间只是写下它的节点的说法", "when it happened: the time in the bundle is the word of the node that wrote it")
}

func (j *Judgment) prove(zh, en string, args ...any) {
	j.Proven = append(j.Proven, said(zh, en, args...))
}

func (j *Judgment) leave(zh, en string, args ...any) {
	j.NotProven = append(j.NotProven, said(zh, en, args...))
}

// said fills both languages, whose verbs are numbered: each takes what it needs.
func said(zh, en string, args ...any) schemas.Text {
	return schemas.Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)}
}

// listed writes regions as each language does.
func listed(regions []peers.Region) (zh, en string) {
	codes := make([]string, len(regions))
	for i, r := range regions {
		codes[i] = string(r)
	}
	return strings.Join(codes, "、"), strings.Join(codes, ", ")
}
