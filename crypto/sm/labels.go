package sm

// Label names the purpose of a signature or of a digest. It is part of what is
// signed or hashed, so that bytes signed for one purpose verify for no other.
// A label is at most 255 bytes and never changes once it has been used.
type Label string

// The purposes of version 1 of the formats.
const (
	// LabelGenesis: a founder's signature over the genesis document.
	LabelGenesis Label = "xinqiao/v1/genesis"
	// LabelBatch: a region's signature over a batch preamble.
	LabelBatch Label = "xinqiao/v1/batch"
	// LabelAuthor: an agency's signature over a canonical record.
	LabelAuthor Label = "xinqiao/v1/author"
	// LabelFile: an agency's detached signature over the SM3 of a submitted
	// file.
	LabelFile Label = "xinqiao/v1/file"
	// LabelAgencyKey: an agency key's signature over the claim that it is this
	// agency's, in this region.
	LabelAgencyKey Label = "xinqiao/v1/agency-key"
	// LabelPeer: a node's proof of identity on a transport connection.
	LabelPeer Label = "xinqiao/v1/peer"
	// LabelRoot: a node's word on its root at a size. No message has it any
	// more; vectors do, and it means nothing else.
	LabelRoot Label = "xinqiao/v1/root"
	// LabelTicket: a region's word that it has taken an entry in, over its
	// header.
	LabelTicket Label = "xinqiao/v1/ticket"
	// LabelMark: the leader's mark {term, size, root}.
	LabelMark Label = "xinqiao/v1/mark"
	// LabelCosignature: a witness's signature over a checkpoint.
	LabelCosignature Label = "xinqiao/v1/cosignature"
	// LabelBackup: a node's signature over the manifest of a backup.
	LabelBackup Label = "xinqiao/v1/backup"
	// LabelBackupKey: the context from which a backup's key is derived.
	LabelBackupKey Label = "xinqiao/v1/backup-key"
	// LabelMember: a proof, by a key that a change of the directory brings,
	// that its holder wants it.
	LabelMember Label = "xinqiao/v1/member"
	// LabelDirectory: the root of the replicated directory (a digest).
	LabelDirectory Label = "xinqiao/v1/directory"
	// LabelCommitment: the salted commitment to a sealed record (a digest).
	LabelCommitment Label = "xinqiao/v1/commitment"
	// LabelSubject: a subject's place in a region's map (a digest).
	LabelSubject Label = "xinqiao/v1/subject"
	// LabelHoldings: the salted commitment to a subject's records (a digest).
	LabelHoldings Label = "xinqiao/v1/holdings"
	// LabelFeed: what tells one item of a feed from another (a digest).
	LabelFeed Label = "xinqiao/v1/feed"
	// LabelEntryID: the derivation of entry ids (a MAC).
	LabelEntryID Label = "xinqiao/v1/entry-id"
	// LabelBody: additional data of a sealed body.
	LabelBody Label = "xinqiao/v1/body"
	// LabelWrap: additional data of a wrapped content key, and the context
	// from which the wrapping key is derived.
	LabelWrap Label = "xinqiao/v1/wrap"
	// LabelWraps: the digest of a batch's wraps.
	LabelWraps Label = "xinqiao/v1/wraps"
	// LabelWitnesses: the digest of a witness set.
	LabelWitnesses Label = "xinqiao/v1/witnesses"
	// LabelVaultJoint: the derivation of a key from those of several slots (a
	// digest, which begins with the label and not with its length).
	LabelVaultJoint Label = "xinqiao/v1/vault-joint"
	// LabelVaultSlot: the derivation of the key that seals from a slot's key and
	// the region's secret.
	LabelVaultSlot Label = "xinqiao/v1/vault-slot"
	// LabelIDSecret: additional data of a sealed id secret, without its length
	// too.
	LabelIDSecret Label = "xinqiao/v1/id-secret"
)

// Append appends the label behind its length in one byte: so messages begin, and
// digests that no ledger is part of.
func (l Label) Append(b []byte) []byte { return append(append(b, byte(len(l))), l...) }

// Message returns the bytes that a signature with this label covers: the
// label's length in one byte, the label, the ledger id, the message. These are
// what other implementations sign, under SM2 with user id 1234567812345678.
// A label of more than 255 bytes belongs to no format and yields nil.
func Message(label Label, ledger Digest, msg []byte) []byte {
	if !label.valid() {
		return nil
	}
	b := label.Append(make([]byte, 0, 1+len(label)+DigestSize+len(msg)))
	b = append(b, ledger[:]...)
	return append(b, msg...)
}

func (l Label) valid() bool { return 0 < len(l) && len(l) <= 255 }
