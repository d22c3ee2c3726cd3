# Every recipe sets up what it needs first; a second call finds that done and starts in seconds.
ENDPOINT ?= /hello
ARGS ?=
# off: do not rebuild Django-Bolt's extension with symbols; auto builds it the first time (some 5 minutes).
SYMBOLS ?= auto
export PATH := $(CURDIR)/.venv/bin:$(HOME)/.cargo/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv

.DEFAULT_GOAL := help
.PHONY: help setup setup-test record test check lint fmt bench report

help: ## list the recipes
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## interpreter, packages, Rust core, speedscope
	@scripts/setup record

setup-test:
	@scripts/setup test

# Exit code 5: done, and the doubts about it are printed.
record: setup ## record a flamegraph of the bundled app: ENDPOINT=/hello ARGS=...
	@[ "$(SYMBOLS)" != auto ] || profiler build django-bolt
	@profiler record --endpoint $(ENDPOINT) --symbols $(SYMBOLS) $(ARGS) || [ $$? -eq 5 ]

test: setup-test ## the whole test suite, Rust and Python
	@scripts/test

check: lint test ## what CI runs

lint: setup-test ## format check, ruff, clippy, mypy, import rules
	cargo fmt --all --check
	cargo clippy -q --all-targets --locked -- -D warnings
	cd hotpaths/server && cargo fmt --check && cargo clippy -q --all-targets --locked -- -D warnings
	ruff check . && ruff format --check .
	mypy
	lint-imports

fmt: setup-test ## format Python and Rust
	cargo fmt --all
	ruff format . && ruff check --fix .

report: setup-test ## rebuild the figures of docs/ that come from recordings: RUN=...
	@scripts/picture $(RUN)

bench: setup-test ## microbenchmarks, paired
	@pytest microbench --paired $(ARGS)
