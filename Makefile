# Limpet. make alone lists what there is.

SHELL   := /bin/bash
.SHELLFLAGS := -euo pipefail -c
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
CONFIG  ?= configs/quickstart.yaml
FUZZTIME ?= 10s
TOOLS   := $(CURDIR)/bin/tools

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The race detector's second of waiting at the end of each process finds nothing here, and each test binary would have it.
.PHONY: test
test: export GORACE = atexit_sleep_ms=0
test: ## run all tests, the clouds' SDKs and agents' clients and servers too, with the race detector; installs what they need if it is missing (Debian)
	@.ci/need redis-server redis-server
	@.ci/need nginx nginx
	@.ci/need haproxy haproxy
	@.ci/need gcc gcc libc6-dev
	@.ci/need python3 python3
	go test -race -p 3 -timeout 10m ./...
	@# Not cached: the server that they build is none of their own packages.
	go -C sdktest test -race -count=1 -timeout 4m ./...
	go -C protocoltest test -race -count=1 -timeout 4m ./...

# What lint compiles, the test of the image's build line finds in the cache: that saves a cold CI half a minute.
.PHONY: lint
lint: export CGO_ENABLED = 0
lint: export GOFLAGS := $(GOFLAGS) -trimpath
lint: ## gofmt, go vet, staticcheck, revive, errcheck, go-errorlint
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		[ -z "$$unformatted" ] || { echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	GOBIN=$(TOOLS) go -C tools install tool
	$(TOOLS)/staticcheck ./...
	$(TOOLS)/revive -config tools/revive.toml -formatter plain ./...
	@# errcheck knows no nolint comments: a line with one, and the reason after it, is left out here.
	@unchecked=$$($(TOOLS)/errcheck -ignoretests -exclude tools/errcheck.txt ./... | grep -v '//nolint:errcheck // ' || true); \
		[ -z "$$unchecked" ] || { echo "errors that nobody looks at:"; echo "$$unchecked"; exit 1; }
	$(TOOLS)/go-errorlint ./...
	@# With the flags of its tests: the SDKs take a minute to compile, once is enough.
	@export CGO_ENABLED=1 GOFLAGS="$(filter-out -trimpath,$(GOFLAGS)) -race"; \
	for module in sdktest protocoltest; do ( cd $$module && \
		go vet ./... && $(TOOLS)/staticcheck ./... && $(TOOLS)/revive -config ../tools/revive.toml -formatter plain ./... \
	) || exit 1; done

.PHONY: proof
proof: ## drive a million requests of 1,000 sessions through one Limpet and more, with an instance killed: none may be misrouted
	@.ci/need redis-server redis-server
	LIMPET_PROOF_REQUESTS=1000000 go test -count=1 -timeout 2h -v -run '^TestProof' ./cmd/limpet

.PHONY: bench
bench: ## run the benchmarks
	@.ci/need redis-server redis-server
	@.ci/need haproxy haproxy
	go test -run '^$$' -bench . -benchmem ./...
	go -C protocoltest test -run '^$$' -bench . -benchtime 1x ./...

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME (10s)
	@go list ./... | while read -r package; do \
		go test -list '^Fuzz' "$$package" | { grep '^Fuzz' || true; } | while read -r name; do \
			echo "== $$package $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null || exit 1; \
		done || exit 1; \
	done

.PHONY: build
build: ## build a static binary as bin/limpet
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o bin/limpet ./cmd/limpet

.PHONY: image
image: ## build the container image limpet:VERSION
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t limpet:$(VERSION) .

.PHONY: demo
demo: ## start three sample instances and a proxy before them, and say what to try
	go run ./cmd/limpet demo

.PHONY: run
run: ## run limpet serve on CONFIG (configs/quickstart.yaml)
	go run ./cmd/limpet serve -c $(CONFIG)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin
