# Two targets do all the set-up: `make dev` to try Signet, `make test` to test it.
# What the tests need is installed into .tools/, which git ignores.

CARGO ?= cargo
TOOLS := .tools

.PHONY: help dev test lint fmt tools release clean

help: ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

dev: ## build Signet, start everything embedded, print what to try
	$(CARGO) run --locked --quiet -- dev --data .signet --listen 127.0.0.1:8080

test: tools ## install what the tests need, run them all
	$(CARGO) test --locked

lint: ## formatting, clippy and rustdoc, warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --quiet

fmt: ## format the sources
	$(CARGO) fmt

tools: ## what the tests need: the reference signers of AWS
	tests/tools/install

release: ## the program as it is deployed
	$(CARGO) build --locked --release

clean: ## what was built and installed, and the data of `make dev`
	$(CARGO) clean
	rm -rf $(TOOLS) .signet
