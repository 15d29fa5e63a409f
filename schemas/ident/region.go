package ident

import "slices"

// provinces are the first two digits of GB/T 2260. The provincial level has
// not changed since 1997, so no dates are needed here; county codes do change
// and are therefore never judged beyond their prefix.
var provinces = []string{
	"11", "12", "13", "14", "15", // 北京 天津 河北 山西 内蒙古
	"21", "22", "23", // 辽宁 吉林 黑龙江
	"31", "32", "33", "34", "35", "36", "37", // 上海 江苏 浙江 安徽 福建 江西 山东
	"41", "42", "43", "44", "45", "46", // 河南 湖北 湖南 广东 广西 海南
	"50", "51", "52", "53", "54", // 重庆 四川 贵州 云南 西藏
	"61", "62", "63", "64", "65", // 陕西 甘肃 青海 宁夏 新疆
	"71", "81", "82", // 台湾 香港 澳门
}

// Province returns the provincial region code (such as 120000) that a
// six-digit code lies in. It is false for anything that is not six digits
// under a known province, the national registrar included.
func Province(code string) (string, bool) {
	if len(code) != 6 {
		return "", false
	}
	for i := range 6 {
		if code[i] < '0' || code[i] > '9' {
			return "", false
		}
	}
	if !slices.Contains(provinces, code[:2]) {
		return "", false
	}
	return code[:2] + "0000", true
}
