// Package selftest decides whether this machine computes SM2, SM3 and SM4 as
// the standards have it. A node runs it before it opens a key and does not
// start if a check fails.
//
// Known answers come from the national standards and RFC 8998. Beyond them two
// implementations that share no code must agree: emmansun/gmsm, which carries
// all traffic, and tjfoc/gmsm, the independent second. tjfoc decrypts nothing
// and sees no key but throw-away ones. Only this package imports it.
package selftest

import (
	"errors"
	"fmt"
	"time"
)

// Check is the outcome of one check.
type Check struct {
	Name     string // stable, for logs and scripts
	TitleZH  string
	TitleEN  string
	Duration time.Duration
	Err      error // nil if passed
}

// check is one test; it draws what randomness it needs itself.
type check struct {
	name, zh, en string
	run          func() error
}

var checks = []check{
	{"sm3-vectors", "SM3 标准向量", "SM3 vectors of GB/T 32905", sm3Vectors},
	{"sm3-agree", "SM3 两实现一致", "SM3 and HMAC-SM3, two implementations", sm3Agree},
	{"sm3-together", "SM3 多条并算", "SM3 of several messages at once", sm3Together},
	{"sm4-vector", "SM4 标准向量", "SM4 vector of GB/T 32907", sm4Vector},
	{"sm4-gcm-vector", "SM4-GCM 向量（RFC 8998）", "SM4-GCM vector of RFC 8998", sm4GCMVector},
	{"sm4-gcm-agree", "SM4-GCM 两实现一致", "SM4-GCM, two implementations", sm4GCMAgree},
	{"sm2-verify-vector", "SM2 签名标准向量", "SM2 signature vector of GB/T 32918.5", sm2VerifyVector},
	{"sm2-sign-agree", "SM2 签名互验", "SM2 signatures, each by the other", sm2SignAgree},
	{"sm2-encrypt-vector", "SM2 加密标准向量", "SM2 encryption vector of GB/T 32918.5", sm2EncryptVector},
	{"sm2-decrypt-guard", "SM2 解密防护", "SM2 decryption refuses what is not its own", sm2DecryptGuard},
}

// Run does all checks, also after one has failed. The error names each that
// failed. It takes some milliseconds.
func Run() ([]Check, error) { return run(checks) }

func run(checks []check) ([]Check, error) {
	results := make([]Check, 0, len(checks))
	var failed []error
	for _, c := range checks {
		start := time.Now()
		err := guarded(c.run)
		results = append(results, Check{c.name, c.zh, c.en, time.Since(start), err})
		if err != nil {
			failed = append(failed, fmt.Errorf("selftest: %s: %w", c.name, err))
		}
	}
	return results, errors.Join(failed...)
}

// guarded counts a panic as a failure: a self-test that takes the process down
// does not say which check it was.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}
