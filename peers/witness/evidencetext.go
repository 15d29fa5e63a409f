package witness

import (
	"fmt"
	"strings"

	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Each text says what has happened, what the bundle proves, what it does not,
// and what to do.

func sayForked(own peers.Region, who []string, size uint64) schemas.Text {
	return schemas.Text{
		ZH: fmt.Sprintf(`账本分叉：地区 %s 的节点停止对外服务。
事实：在账本长度 %d 处，地区 %s 用见证密钥签署了同一个根，而本节点自己的账本算出的是另一个根。
已证明：这些地区看到的是同一个账本；本节点的账本与之不同。
未证明：谁造成了分叉。本节点可能收到了被篡改的条目，也可能是本机数据损坏或被改写；与多数不同不等于有过错。若同目录另有 two-marks 或 two-roots 证据，其中的密钥对同一长度签了两个根，那才是责任证据。
处理：保留本目录；不要删除 witness 目录。查明原因后用 creditgw resync 以新的节点号重新加入。`,
			own, size, strings.Join(who, "、")),
		EN: fmt.Sprintf(`The ledger has forked: the node of region %s stops serving.
What happened: at ledger size %d the regions %s have signed one root with their witness keys, and this node's own ledger has another.
Proven: these regions have seen one ledger, and this node's is a different one.
Not proven: who caused it. This node may have been fed changed entries, or its data may be damaged or rewritten; to differ from the majority is no guilt. If there is a bundle two-marks or two-roots beside this one, the key in it has signed two roots for one size, and that is proof.
What to do: keep this directory, and do not remove the directory witness. When the cause is known, creditgw resync rejoins under a new node id.`,
			own, size, strings.Join(who, ", ")),
	}
}

func sayDisagreement(own peers.Region, who []string, size uint64) schemas.Text {
	return schemas.Text{
		ZH: fmt.Sprintf(`根不一致：在账本长度 %d 处，地区 %s 签署的根与地区 %s 自己账本的根不同，但签署地区未达到见证所需数量。本节点继续工作。
已证明：上述地区的见证密钥签署了另一个根。
未证明：哪一方的账本是对的，以及谁造成了差异；签署者可能只是收到了不同的条目。
处理：各地区核对同一长度的根（GET /v1/ledger/checkpoint?size=%d）以及当时的领导节点与任期。`,
			size, strings.Join(who, "、"), own, size),
		EN: fmt.Sprintf(`Roots differ: at ledger size %d the regions %s have signed another root than the ledger of region %s has, but they are too few to make it witnessed. This node goes on.
Proven: the witness keys of these regions have signed another root.
Not proven: whose ledger is right, and who caused the difference; the signers may only have been fed other entries.
What to do: compare the roots of all regions at this size (GET /v1/ledger/checkpoint?size=%d), and who led in which term.`,
			size, strings.Join(who, ", "), own, size),
	}
}

func sayRewritten(own peers.Region, size uint64) schemas.Text {
	return schemas.Text{
		ZH: fmt.Sprintf(`账本被改写：地区 %s 的节点停止对外服务。
事实：本节点曾在账本长度 %d 处用见证密钥签署了一个根，现在本机账本在同一长度算出的是另一个根。
已证明：本节点的账本自签署以后发生了变化。
未证明：是谁改的，是人为、损坏还是恢复了旧数据。
处理：保留证据与 witness 目录，用 creditgw resync 以新的节点号重新加入。`, own, size),
		EN: fmt.Sprintf(`The ledger was rewritten: the node of region %s stops serving.
What happened: this node once signed a root at ledger size %d with its witness key, and its own ledger has another root at that size now.
Proven: the ledger of this node has changed since it was signed.
Not proven: who changed it, and whether on purpose, by damage or by putting back old data.
What to do: keep the evidence and the directory witness; creditgw resync rejoins under a new node id.`, own, size),
	}
}

func sayRolledBack(own peers.Region, remembered, size uint64) schemas.Text {
	return schemas.Text{
		ZH: fmt.Sprintf(`数据目录被回退：地区 %s 的节点停止。
事实：其他地区持有本节点见证密钥在账本长度 %d 处的签名，而本节点只记得签到长度 %d。签名交出之前必先落盘，所以本机的记录被换成了旧副本，或者另有一个进程在用同一把见证密钥。
已证明：本节点忘记了自己签过的内容，它对 Raft 的承诺也可能一并丢失。
未证明：是恢复备份、虚拟机快照还是密钥被复制。
处理：不要再以原节点号启动；查清见证密钥是否外泄，以新的节点号重新加入，必要时轮换见证密钥。`, own, size, remembered),
		EN: fmt.Sprintf(`The data directory was rolled back: the node of region %s stops.
What happened: other regions hold a signature of this node's witness key for ledger size %d, and this node remembers having signed up to size %d. A signature is on disk before it is given out; so the state was replaced by an old copy, or another process uses the same witness key.
Proven: this node has forgotten what it signed; what it promised in Raft may be lost as well.
Not proven: whether a backup, a snapshot of the machine or a copied key is the cause.
What to do: do not start it under this node id again; find out whether the witness key has leaked, rejoin under a new node id, rotate the witness key if in doubt.`, own, size, remembered),
	}
}

func sayMarkDiffers(own peers.Region, m Mark) schemas.Text {
	return schemas.Text{
		ZH: fmt.Sprintf(`领导节点的标记与本地不符：节点 %s 在任期 %d 标记账本长度 %d 的根，与地区 %s 自己账本的根不同。本节点继续工作，并签署自己的根。
已证明：该节点的密钥签署了这个标记。
未证明：哪一方的账本是对的；仅凭一个标记不能说明谁有过错。`, m.Signer, m.Term, m.Size, own),
		EN: fmt.Sprintf(`A leader's mark differs: node %s in term %d marks a root at ledger size %d that is not the root of region %s's own ledger. This node goes on and signs its own root.
Proven: the key of that node has signed this mark.
Not proven: whose ledger is right; one mark alone shows nobody's guilt.`, m.Signer, m.Term, m.Size, own),
	}
}

func sayTwoRoots(r peers.Region, key string, size uint64) schemas.Text {
	return schemas.Text{
		ZH: fmt.Sprintf(`一把见证密钥签署了两个根：地区 %s 的见证密钥 %s 对同一账本长度 %d 签署了两个不同的结论。
已证明：两个签名都由该密钥作出，而一个账本在一个长度上只有一个根；持有该密钥者签署过不实内容。
未证明：该密钥是由该地区还是由窃取者使用。
处理：由法定数量的地区撤销该见证密钥。`, r, key, size),
		EN: fmt.Sprintf(`One witness key has signed two roots: the witness key %s of region %s has signed two statements of ledger size %d.
Proven: both signatures are by this key, and a ledger has one root at one size; whoever holds the key has signed an untruth.
Not proven: whether the region used the key or a thief.
What to do: a quorum of regions revokes the witness key.`, key, r, size),
	}
}

func sayTwoMarks(one, other Mark) schemas.Text {
	return schemas.Text{
		ZH: fmt.Sprintf(`一个节点标记了两个根：节点 %s 的密钥对同一账本长度 %d 签署了两个不同的根（任期 %d 与 %d）。
已证明：两个标记都由该节点密钥作出；它向不同节点给出了不同的账本。
未证明：该密钥是由该地区还是由窃取者使用。
处理：由法定数量的地区撤销该节点密钥；收到假账本的节点没有过错，用 creditgw resync 重新加入。`, one.Signer, one.Size, other.Term, one.Term),
		EN: fmt.Sprintf(`One node has marked two roots: the key of node %s has signed two roots for ledger size %d (terms %d and %d).
Proven: both marks are by this node's key; it has given different ledgers to different nodes.
Not proven: whether the region used the key or a thief.
What to do: a quorum of regions revokes the node key; a node that was fed the false ledger is not to blame and rejoins with creditgw resync.`, one.Signer, one.Size, other.Term, one.Term),
	}
}
