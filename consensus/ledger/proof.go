package ledger

import (
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// ErrProof is returned for a proof that does not prove what it is shown for.
var ErrProof = errors.New("ledger: proof does not verify")

// MaxProof bounds the hashes of an inclusion or consistency proof, and so what
// a parser of proofs need accept: one for each level of a tree of 2^63 leaves,
// and the seed of a consistency proof.
const MaxProof = 64

// Inclusion returns the proof that leaf index is in the tree of the given size.
func Inclusion(index, size uint64, read NodeReader) ([]sm.Digest, error) {
	if index >= size {
		return nil, fmt.Errorf("%w: leaf %d of %d", ErrSize, index, size)
	}
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("ledger: inclusion: %w", err)
	}
	return assemble(nodes, read)
}

// Consistency returns the proof that the tree of size to extends the tree of
// size from.
func Consistency(from, to uint64, read NodeReader) ([]sm.Digest, error) {
	if from > to {
		return nil, fmt.Errorf("%w: size %d after %d", ErrSize, from, to)
	}
	nodes, err := proof.Consistency(from, to)
	if err != nil {
		return nil, fmt.Errorf("ledger: consistency: %w", err)
	}
	return assemble(nodes, read)
}

// InclusionOf returns the proof that leaf index is in the small tree of leaves.
func InclusionOf(leaves []sm.Digest, index uint64) ([]sm.Digest, error) {
	size := uint64(len(leaves))
	return Inclusion(index, size, func(level uint, i uint64) (sm.Digest, error) {
		begin, end := i<<level, min((i+1)<<level, size)
		return RootOf(leaves[begin:end]), nil
	})
}

// VerifyInclusion checks that the leaf is at index in the tree with this size
// and root.
func VerifyInclusion(index, size uint64, leaf sm.Digest, path []sm.Digest, root sm.Digest) error {
	if err := proof.VerifyInclusion(sm3{}, index, size, leaf[:], bytesOf(path), root[:]); err != nil {
		return fmt.Errorf("%w: leaf %d is not shown to be in the tree of %d", ErrProof, index, size)
	}
	return nil
}

// RootFromInclusion returns the root that the path leads to, for a tree whose
// root is itself hashed into something known.
func RootFromInclusion(index, size uint64, leaf sm.Digest, path []sm.Digest) (sm.Digest, error) {
	root, err := proof.RootFromInclusionProof(sm3{}, index, size, leaf[:], bytesOf(path))
	if err != nil {
		return sm.Digest{}, fmt.Errorf("%w: leaf %d of %d", ErrProof, index, size)
	}
	return sm.Digest(root), nil
}

// VerifyConsistency checks that the tree (to, toRoot) extends the tree
// (from, fromRoot).
func VerifyConsistency(from, to uint64, path []sm.Digest, fromRoot, toRoot sm.Digest) error {
	err := proof.VerifyConsistency(sm3{}, from, to, bytesOf(path), fromRoot[:], toRoot[:])
	// The library takes any root for the empty tree.
	if err != nil || from == 0 && fromRoot != EmptyRoot() {
		return fmt.Errorf("%w: the tree of %d is not shown to extend that of %d", ErrProof, to, from)
	}
	return nil
}

func assemble(nodes proof.Nodes, read NodeReader) ([]sm.Digest, error) {
	hashes, err := readNodes(nodes.IDs, read)
	if err != nil {
		return nil, err
	}
	hashes, err = nodes.Rehash(hashes, hashChildren)
	if err != nil {
		return nil, fmt.Errorf("ledger: proof: %w", err)
	}
	path := make([]sm.Digest, len(hashes))
	for i, h := range hashes {
		path[i] = sm.Digest(h)
	}
	return path, nil
}

func bytesOf(path []sm.Digest) [][]byte {
	b := make([][]byte, len(path))
	for i := range path {
		b[i] = path[i][:]
	}
	return b
}
