package exchange

import (
	"context"
	"errors"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Propose puts a change of members, keys or rules before the other regions. It
// is in force once enough of them have approved.
func (s *Service) Propose(ctx context.Context, p Principal, c peers.Change) (EntryID, error) {
	if err := p.Require(RoleOperator, RoleSecadmin); err != nil {
		return EntryID{}, err
	}
	body, err := peers.EncodeProposal(c)
	if err != nil {
		f := Fail(KindInvalid, "CHANGE", "变更的内容不合规定，见 docs/formats/governance.md", "the change is not one of docs/formats/governance.md: "+err.Error())
		f.Cause = err
		return EntryID{}, f
	}
	if err := s.known(c); err != nil {
		return EntryID{}, err
	}
	return s.decide(ctx, KindPropose, body)
}

// Approve adds this region's approval to a proposal, named by its leaf and by
// the SM3 of its body.
func (s *Service) Approve(ctx context.Context, p Principal, index uint64, digest sm.Digest) (EntryID, error) {
	if err := p.Require(RoleOperator, RoleSecadmin); err != nil {
		return EntryID{}, err
	}
	for _, open := range s.Ledger.Directory().Proposals() {
		if open.Index == index {
			if err := s.known(open.Change); err != nil {
				return EntryID{}, err
			}
		}
	}
	body, err := peers.EncodeApproval(index, digest)
	if err != nil {
		return EntryID{}, err
	}
	return s.decide(ctx, KindApprove, body)
}

// known keeps this region from saying that it has a format which its binary
// lacks: the node would stop when the format comes into force.
func (s *Service) known(c peers.Change) error {
	if c.Change != peers.ChangeActivate {
		return nil
	}
	for _, f := range Formats {
		if f == c.Format {
			return nil
		}
	}
	return Fail(KindConflict, "FORMAT_UNKNOWN", "本节点的程序不支持该格式，请先升级", "this node's binary lacks the format: upgrade it first")
}

// writes refuses to take in what would never leave: the region only follows the
// ledger, or this node's place is another one's by now.
func (s *Service) writes() error {
	d := s.Ledger.Directory()
	if n, known := d.Node(s.Node); known && !n.InForce() {
		f := Fail(KindConflict, "NODE_RETIRED", "本节点已被替换或移除，不再受理", "this node has been replaced or removed and takes nothing in")
		f.Hint.ZH, f.Hint.EN = "请向本地区现用的节点报送", "send it to the region's active node"
		return f
	}
	if !d.Exchanges(s.Region) {
		return Fail(KindConflict, peers.CodeOriginUnknown, refusals[peers.CodeOriginUnknown], "this region does not write to the shared ledger")
	}
	return nil
}

// decide authors the entry unless the ledger, as it stands here, would refuse
// it: then the caller learns why at once.
func (s *Service) decide(ctx context.Context, kind string, body []byte) (EntryID, error) {
	d := s.Ledger.Directory()
	_, err := d.With(max(s.Ledger.Head().Size, d.Next()), s.Region, kind, body)
	var r *peers.Rejection
	switch {
	case errors.As(err, &r):
		return EntryID{}, Fail(KindConflict, r.Code, refusals[r.Code], r.Reason)
	case err != nil:
		return EntryID{}, err
	}
	return s.govern(ctx, kind, body)
}

// refusals are the reasons of the directory in Chinese.
var refusals = map[string]string{
	peers.CodeOriginUnknown:    "本地区尚不能写入共享账本",
	peers.CodeBodyMalformed:    "变更的内容不合规定",
	peers.CodeKeyExists:        "该公钥正在或曾经使用，请另生成",
	peers.CodeKeyUnknown:       "没有这把公钥",
	peers.CodeKeyRetired:       "该公钥已停用",
	peers.CodeNotVoter:         "只有有表决权的地区才能提议和批准",
	peers.CodeProposalUnknown:  "没有这项待批准的提议，用 creditctl member list 核对编号和摘要",
	peers.CodeProposalApproved: "本地区已批准这项提议",
	peers.CodeRegionExists:     "该地区已在成员之列",
	peers.CodeRegionUnknown:    "该地区不在成员之列",
	peers.CodeStage:            "只能逐级晋升：观察、已验证、表决",
	peers.CodeNodeExists:       "节点编号或地址已被占用",
	peers.CodeNodeUnknown:      "没有这个在用的节点",
	peers.CodeRole:             "该节点的角色不允许这项变更",
	peers.CodeLastKey:          "这是最后一把，请先增加新的",
	peers.CodeProof:            "持有证明不成立，请用本账本的 genesis.json 重新生成变更文件",
	peers.CodeSuspect:          "可疑起点在账本末尾之后",
	peers.CodePolicy:           "数目或格式不符合规则",
	peers.CodeLimit:            "已达上限",
	peers.CodeTooFew:           "这样就没有地区可以表决或见证了",
}
