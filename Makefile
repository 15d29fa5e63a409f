# Thin names for the commands of the trade. .ci/run is the authority on what
# must pass; nothing here does more than it does.

GO      ?= go
BIN     ?= .build
PKG     ?= ./...
FUZZTIME ?= 10s

.PHONY: build test race lint fuzz bench demo ci clean

build: ## both binaries, into .build/
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

test:
	$(GO) test $(PKG)

race:
	$(GO) test -race $(PKG)

lint:
	.ci/run lint

fuzz: ## each fuzz target for FUZZTIME
	FUZZTIME=$(FUZZTIME) .ci/run fuzz

bench:
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)

demo: ## four regions on this machine, until Ctrl-C
	$(GO) run ./cmd/creditgw demo

ci:
	.ci/run

clean:
	rm -rf $(BIN)
