# Everything a fresh machine needs: Python 3.11 or newer with venv, a C++ compiler and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEVELOP := $(VENV)/.developed

.PHONY: venv demo test test-all golden fuzz networks kills proofs docs dist lint format clean frames lock supply

venv: $(DEVELOP)

# All that users need; the demo waits for no more. Modules are compiled when they are first imported.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable .
	touch $@

# And what the tests and the checks of the code need.
$(DEVELOP): $(STAMP)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable ".[test,lint]"
	touch $@

demo: $(STAMP)
	$(BIN)/bitwright demo

test: venv
	$(BIN)/python -m pytest -q -n 2 -m "not slow"

# Mutated files through everything that reads files; failures are kept in fuzz-failures. COUNT is that of all runs together.
fuzz: venv
	$(BIN)/python tests/fuzz/files.py --count $(or $(COUNT),100000) --out benchmarks/trust/files.json

# Random networks through the RTL of all targets; COUNT networks of each, of all runs together, about CYCLES of each.
frames: venv
	for t in tlmac bitsys rap; do $(BIN)/python tests/fuzz/hardware.py $$t --count $(or $(COUNT),100) --cycles $(or $(CYCLES),100000) --ledger benchmarks/trust/frames.json || exit 1; done

# Random networks: NumPy against the fast evaluator and exported files.
networks: venv
	$(BIN)/python tests/fuzz/evaluators.py --count $(or $(COUNT),10000) --out benchmarks/trust/networks.json

# Commands killed at random moments; COUNT kills of each of five.
kills: venv
	$(BIN)/python tests/fuzz/kills.py --count $(or $(COUNT),40) --out benchmarks/trust/kills.json

# Formal proofs of the RTL; rows and verdicts as JSON in benchmarks/trust/proofs.json.
proofs: venv
	$(BIN)/python tests/formal/prove.py --json benchmarks/trust/proofs.json

# The newest versions of all dependencies with their hashes.
lock: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python tests/supply/chain.py lock

# Wheels, bill of materials, audit, and tests with the newest and the oldest dependencies.
supply: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python tests/supply/chain.py wheels sbom audit versions --out benchmarks/trust/supply.json

# The documentation as a web site, in site/; warnings are errors.
docs: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

# Wheel and sdist in dist/, checked as an index would; their version comes from the last tag of git.
dist: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build twine
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

# Write the designs of tests/golden anew, where a change of what is generated is meant.
golden: venv
	$(BIN)/python tests/support/golden.py

test-all: venv
	$(BIN)/python -m pytest -q -n 2

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist
