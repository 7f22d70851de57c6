# Contoso Order Processing Platform: every target is described by `make help`.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PORT     ?= 8080
DATA_DIR ?= .data
FN       ?=
IN       ?=
FUZZTIME ?= 30s

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

BIN     := build/bin
SPA     := local/spa
SPA_SRC := $(shell find $(SPA)/src $(SPA)/public $(SPA)/index.html $(SPA)/*.json $(SPA)/vite.config.ts 2>/dev/null)

say = @printf '\033[1m▸ %s\033[0m\n' "$(1)"

.PHONY: help
help: ## list the targets
	@printf 'Usage: make <target>\n\n'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-17s %s\n", $$1, $$2}'
	@printf '\nVariables: PORT (8080), DATA_DIR (.data), FN and IN (for run-fn), FUZZTIME (30s)\n'

.PHONY: run
run: build ## build and run the whole platform on this machine, until Ctrl-C
	$(call say,starting the platform)
	@exec $(BIN)/up --port '$(PORT)' --data '$(DATA_DIR)' run

.PHONY: run-fn
run-fn: build ## run one function in the foreground: FN=accept [IN=file]
	@if [ -z "$(FN)" ]; then echo 'say which function: make run-fn FN=accept [IN=functions/accept/testdata/order.json]'; exit 2; fi
	@exec $(BIN)/up --data '$(DATA_DIR)' fn '$(FN)' $(if $(IN),--in '$(IN)')

.PHONY: deps
deps: $(SPA)/node_modules/.package-lock.json ## install the packages of the page

.PHONY: build
build: binaries build/spa/index.html ## build the binaries and the page

.PHONY: binaries
binaries:
	$(call say,building the binaries (the first time takes some minutes))
	@mkdir -p $(BIN)
	@go build -o $(BIN)/ ./functions/... ./keda/... ./local/...

$(SPA)/node_modules/.package-lock.json: $(SPA)/package.json $(SPA)/package-lock.json
	$(call say,installing the page's packages)
	@cd $(SPA) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

build/spa/index.html: $(SPA)/node_modules/.package-lock.json $(SPA_SRC)
	$(call say,building the page)
	@cd $(SPA) && npm run --silent build
	@touch $@

.PHONY: test
test: test-deps lint build ## everything CI checks
	$(call say,testing the page)
	@cd $(SPA) && npm run --silent test
	$(call say,testing the Go packages (race detector on; random order))
	@go test -race -shuffle=on -timeout 20m ./...
	@printf '\033[1m✔ make test: all green\033[0m\n'

.PHONY: test-deps
test-deps:
	@local/e2e/install-test-deps

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, go.mod, dependency rules
	$(call say,linting)
	@bad=$$(gofmt -l functions shared keda local); if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi
	@go mod tidy -diff
	@go vet ./...
	@go run $(STATICCHECK) ./...
	@go test ./shared/deptest

.PHONY: bench
bench: ## run all benchmarks: tables, and the same as JSON in build/bench
	@go run ./local/bench all

.PHONY: bench-servicebus
bench-servicebus: ## run the benchmarks of the local Service Bus broker
	@go run ./local/bench servicebus

.PHONY: bench-pipeline
bench-pipeline: ## run the benchmarks of accept and process-session
	@go run ./local/bench pipeline

.PHONY: bench-store
bench-store: ## run the benchmarks of the order store
	@go run ./local/bench store

.PHONY: bench-registry
bench-registry: ## run the benchmarks of the registry of outcomes and connections
	@go run ./local/bench registry

.PHONY: bench-hub
bench-hub: ## run the benchmarks of the WebSocket hub
	@go run ./local/bench hub

.PHONY: fuzz
fuzz: ## look for inputs that break the decoders: FUZZTIME (30s) for each
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
	  grep -o '^func Fuzz[A-Za-z]*' "$$file" | cut -c6- | while read -r name; do \
	    printf '\033[1m▸ %s in %s\033[0m\n' "$$name" "$$(dirname "$$file")"; \
	    go test "$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime '$(FUZZTIME)' -fuzzminimizetime 20x; \
	  done; \
	done

.PHONY: clean
clean: ## remove what was built
	rm -rf build $(SPA)/node_modules

.PHONY: clean-data
clean-data: binaries ## forget all orders, keys and sign-ins of this machine
	@$(BIN)/up --data '$(DATA_DIR)' forget
