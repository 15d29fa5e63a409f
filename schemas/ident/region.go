package ident

// provinces are the first two digits of GB/T 2260. The provincial level has
// not changed since 1997, so no dates are needed here; county codes do change
// and are therefore never judged beyond their prefix.
var provinces = map[string]string{
	"11": "北京市", "12": "天津市", "13": "河北省", "14": "山西省", "15": "内蒙古自治区",
	"21": "辽宁省", "22": "吉林省", "23": "黑龙江省",
	"31": "上海市", "32": "江苏省", "33": "浙江省", "34": "安徽省", "35": "福建省", "36": "江西省", "37": "山东省",
	"41": "河南省", "42": "湖北省", "43": "湖南省", "44": "广东省", "45": "广西壮族自治区", "46": "海南省",
	"50": "重庆市", "51": "四川省", "52": "贵州省", "53": "云南省", "54": "西藏自治区",
	"61": "陕西省", "62": "甘肃省", "63": "青海省", "64": "宁夏回族自治区", "65": "新疆维吾尔自治区",
	"71": "台湾省", "81": "香港特别行政区", "82": "澳门特别行政区",
}

// NationalRegistrar stands in a unified social credit code for bodies that
// the central registrar registered. It is no region.
const NationalRegistrar = "100000"

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
	if _, ok := provinces[code[:2]]; !ok {
		return "", false
	}
	return code[:2] + "0000", true
}

// ProvinceName returns the Chinese name of the province that a six-digit code
// lies in, or "".
func ProvinceName(code string) string {
	if _, ok := Province(code); !ok {
		return ""
	}
	return provinces[code[:2]]
}
