// Package receipt makes and checks the files that outlive a gateway. Whoever
// holds a receipt and the genesis can check offline who said what, when it
// stood on the shared ledger, and how many regions saw the same ledger:
// docs/formats/receipt.md.
//
// Nothing here reads a file or a clock. A node lends what it holds to a
// Builder; Verify takes bytes and a genesis.
package receipt
