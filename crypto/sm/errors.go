package sm

import "errors"

// Errors that callers tell apart. None of them carries any input bytes.
var (
	// ErrSignature is returned for every signature that does not verify,
	// whether it is malformed or merely wrong.
	ErrSignature = errors.New("sm: signature does not verify")
	// ErrDecrypt is returned for every ciphertext that does not open: one
	// answer for all causes, so that the answer teaches an attacker nothing.
	ErrDecrypt = errors.New("sm: cannot decrypt")
	// ErrKeyFile is returned for a key file that is not one of ours or of
	// OpenSSL's, or costs more to open than is allowed.
	ErrKeyFile = errors.New("sm: not a usable key file")
	// ErrPassphrase is returned when a key file does not open under the
	// passphrase.
	ErrPassphrase = errors.New("sm: wrong passphrase or damaged key file")
	// ErrRole is returned for a key file that was made for another role.
	ErrRole = errors.New("sm: key file is for another role")
)

var (
	errScalar     = errors.New("sm: a private key is a number from 1 to n-2")
	errRandom     = errors.New("sm: the random source is broken")
	errLabel      = errors.New("sm: a label has 1 to 255 bytes")
	errSecretText = errors.New("sm: a secret key has no text form")
	errSize       = errors.New("sm: plaintext of 16 to 1024 bytes expected")
)
