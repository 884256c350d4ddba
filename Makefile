# The words people type; .ci/run calls the same ones. `make help` lists them.
#
#   PYTHON=/path/to/python   the interpreter to use (default: the newest usable one, see tools/find-python)
#   VENV=.venv-3.11          another environment beside the usual one (`make test VENV=.venv-3.11 PYTHON=...`)
#   ARGS="-k wait"           further arguments for pytest, benches and so on

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VENV ?= .venv
PYTHON ?=
ARGS ?=
FUZZ_SECONDS ?= 20
PROGRAMS ?= 20000

BIN := $(VENV)/bin
DEPS := $(VENV)/.stamp-dependencies
CORE := $(VENV)/.stamp-core
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust/core rust/py -name '*.rs' -o -name '*.toml')
OFFICIAL := .cache/official
# The official SDK in environments of its own, for the tests and benches that compare with it.
OFFICIAL_STAMPS := $(foreach v,3.0.0 2.1.0 1.7.0,$(OFFICIAL)/$(v)/.stamp)
JAVASCRIPT := $(OFFICIAL)/javascript-2.4.0
export DURABLE_OFFICIAL_PYTHON ?= $(CURDIR)/$(OFFICIAL)/3.0.0/bin/python
export DURABLE_OFFICIAL_PYTHON_2_1 ?= $(CURDIR)/$(OFFICIAL)/2.1.0/bin/python
export DURABLE_OFFICIAL_PYTHON_1_7 ?= $(CURDIR)/$(OFFICIAL)/1.7.0/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup build test test-rust test-python lint format format-check types wheel docs demo bench bench-rust \
    programs bench-javascript bench-table instructions record-instructions fuzz official clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

setup: $(CORE) ## an environment in .venv with every dependency and the extension built

build: setup ## the extension, again if its sources changed

$(BIN)/python: | tools/find-python
	python="$(PYTHON)"; python=$${python:-$$(tools/find-python)}; "$$python" -m venv --clear $(VENV)

$(DEPS): pyproject.toml tools/dependencies.py | $(BIN)/python
	@command -v cargo >/dev/null || { echo "Rust is missing: see https://rustup.rs" >&2; exit 1; }
	$(BIN)/python tools/dependencies.py dev cli > $(VENV)/requirements.txt
	$(BIN)/python -m pip install -q -r $(VENV)/requirements.txt
	touch $@

$(CORE): $(RUST_SOURCES) pyproject.toml $(DEPS)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --quiet --release --locked
	touch $@

official: $(OFFICIAL_STAMPS) ## the official SDK (3.0.0, 2.1.0, 1.7.0), each in an environment of its own

$(OFFICIAL)/%/.stamp: tools/official/%.txt | $(BIN)/python
	$(BIN)/python -c 'import sys, venv; venv.create(sys.argv[1], clear=True, with_pip=True, symlinks=True)' $(@D)
	$(@D)/bin/python -m pip install -q -r $<
	touch $@

test: test-rust test-python ## every test, Rust and Python

test-rust: ## the tests of the pure core
	cargo test --quiet --locked -p durable-core

test-python: setup official ## the Python tests, in parallel
	$(BIN)/python -m pytest -n auto $(ARGS)

programs: setup ## 20,000 random async programs (PROGRAMS=n for another number), and a tenth with every ending at every request
	DURABLE_ASYNC_PROGRAMS=$$(($(PROGRAMS) / 10)) DURABLE_TIMED_PROGRAMS=$(PROGRAMS) $(BIN)/python -m pytest -n auto \
	    tests/properties/test_async_programs.py tests/properties/test_timed_programs.py $(ARGS)

lint: $(DEPS) ## ruff, and clippy with its pedantic lints as errors
	$(BIN)/ruff check .
	PYO3_PYTHON=$(abspath $(BIN)/python) cargo clippy --quiet --locked --workspace --all-targets -- -D warnings

format: $(DEPS) ## rewrite sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --select I .
	cargo fmt --all

format-check: $(DEPS) ## fail where `make format` would change something
	$(BIN)/ruff format --check .
	cargo fmt --all --check

types: setup ## mypy --strict over package and type tests, pyright over what users see
	$(BIN)/mypy
	$(BIN)/mypy tests/types benches tools
	$(BIN)/pyright --pythonpath $(BIN)/python

wheel: $(DEPS) ## build the wheel, install it in a clean environment, compare stub and extension
	tools/check-wheel $(BIN)/python

docs: setup ## run every code block of README and docs
	$(BIN)/python -m pytest -n auto tests/house/test_docs.py $(ARGS)

fuzz: ## build the fuzz targets (nightly Rust) and run each for FUZZ_SECONDS
	tools/fuzz $(FUZZ_SECONDS)

demo: setup ## run the order settlement of examples/ on the embedded engine
	$(BIN)/python -m examples.order_settlement

bench: setup $(OFFICIAL)/3.0.0/.stamp bench-javascript ## compare with the official SDKs, one interleaved run, then bench-rust
	$(BIN)/python -m benches $(ARGS)
	$(MAKE) bench-rust

bench-table: setup ## the table of a run that was kept: ARGS=FILE, and --write to put it into the pages
	$(BIN)/python -m benches.table $(ARGS)

bench-javascript: ## the official JavaScript SDK 2.4.0, where npm is there and serves it; benches do without it otherwise
	@test -f $(JAVASCRIPT)/.stamp -a ! benches/javascript/package-lock.json -nt $(JAVASCRIPT)/.stamp || { \
	  mkdir -p $(JAVASCRIPT) && cp benches/javascript/package*.json $(JAVASCRIPT)/ && \
	  cd $(JAVASCRIPT) && npm ci --silent --no-audit --no-fund --ignore-scripts && touch .stamp; \
	} || echo "the JavaScript SDK is not there (npm is missing, or does not serve it): its rows are left out" >&2

instructions: $(DEPS) ## count instructions per operation with callgrind (core, replays), compare with the kept figures
	$(BIN)/python tools/instructions.py check

record-instructions: $(DEPS) ## measure them anew and keep them in benches/instructions.toml
	$(BIN)/python tools/instructions.py record

bench-rust: ## Criterion benches of the pure core
	cargo bench --locked -p durable-core --benches -- --warm-up-time 1 --measurement-time 2

clean: ## remove everything that make made
	rm -rf .venv* .cache target dist rust/fuzz/target python/durable_execution_sdk/_core.*.so
