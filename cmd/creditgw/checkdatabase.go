package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// bbolt's two meta pages, in the byte order of the machine: a page header, then
// the meta with its checksum at the end.
const (
	boltPageHeader = 16
	boltMeta       = 64 // with the checksum
	boltMagic      = 0xED0CDAED
)

// checkDatabase looks at what lies around the pairs of a bbolt file, which the
// part itself does not see: both meta pages, of which bbolt silently takes the
// other if one is rotten, the pages that are in use and those that are free.
func checkDatabase(path string) error {
	if err := checkMetaPages(path); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second, PreLoadFreelist: true})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var faults []error
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			faults = append(faults, fmt.Errorf("%s is damaged: %w", path, err))
		}
		return nil
	})
	return errors.Join(append(faults, err, db.Close())...)
}

func checkMetaPages(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	order := binary.NativeEndian
	size := int64(os.Getpagesize()) // what bbolt takes for a new file
	var page [boltPageHeader + boltMeta]byte
	for number := range int64(2) {
		if _, err := f.ReadAt(page[:], number*size); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		meta := page[boltPageHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:boltMeta-8]) // a hash never fails
		if order.Uint32(meta) != boltMagic || order.Uint64(meta[boltMeta-8:]) != sum.Sum64() {
			return fmt.Errorf("meta page %d does not match its checksum", number)
		}
		// Of the page's own header, id and kind.
		head := append(order.AppendUint64(nil, uint64(number)), 4, 0, 0, 0, 0, 0, 0, 0)
		if !bytes.Equal(page[:boltPageHeader], head) {
			return fmt.Errorf("meta page %d has another header", number)
		}
	}
	return nil
}
