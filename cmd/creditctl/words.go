package main

import (
	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// named is a word of the API as people see it: in English it speaks for itself.
func named[W ~string](p *program, chinese map[W]string, word W) string {
	if name, ok := chinese[word]; ok && p.Lang == command.Chinese {
		return name
	}
	return string(word)
}

var stateNames = map[exchange.State]string{
	exchange.StateAccepted: "已受理", exchange.StateLocal: "本地", exchange.StateCommitted: "已入账",
	exchange.StateWitnessed: "已见证", exchange.StateRefused: "未入账",
}

var ackNames = map[exchange.AckState]string{
	exchange.AckDelivered: "送达", exchange.AckRead: "已读", exchange.AckActed: "已办理",
	exchange.AckFailed: "推送失败", exchange.AckUnbound: "未绑定", exchange.AckRefused: "对方不接受",
}

var reasonNames = map[exchange.ErasureReason]string{
	exchange.ReasonRepaired: "信用修复", exchange.ReasonWithdrawn: "撤回", exchange.ReasonExpired: "期满",
}

var checkNames = map[httpapi.CheckState]string{
	httpapi.CheckRunning: "进行中", httpapi.CheckSound: "完好", httpapi.CheckDamaged: "有损坏", httpapi.CheckFailed: "没有做成",
}
