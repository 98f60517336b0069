# make run · test · test-faults (an hour, docs/faults.md) · test-random (properties with new examples) · check · bench ·
# oracle · mutations: each installs what it needs into .venv first; audit (what is known against locked versions) ·
# sbom: into .venv-supply
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
SUPPLY := .venv-supply

.PHONY: run test test-long test-random test-faults check bench oracle mutations audit sbom clean

run: $(VENV)/.runtime
	$(BIN)/hub migrate
	$(BIN)/hub demo
	exec $(BIN)/hub serve

test: $(VENV)/.development
	$(BIN)/python -m pytest -m "not long" -n 2 --dist worksteal

test-long: $(VENV)/.development
	$(BIN)/python -m pytest

# as root: some mount small disks, make networks, trace calls; those that may not say why
test-faults: $(VENV)/.development
	$(BIN)/python -m pytest -rA -m "" tests/faults $$($(BIN)/python -m tests.faults.page tests)

test-random: $(VENV)/.development
	HYPOTHESIS_PROFILE=random $(BIN)/python -m pytest -n 2 --dist worksteal $$(grep -rl "from hypothesis" tests --include "test_*.py")

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.bench
	$(BIN)/python -m tests.bench

oracle: $(VENV)/.development
	$(BIN)/python -m tests.oracle

mutations: $(VENV)/.development
	$(BIN)/python -m tests.matrix.mutations

audit: $(SUPPLY)/.installed
	$(SUPPLY)/bin/python -m tests.supply.audit

sbom: $(SUPPLY)/.installed
	mkdir -p dist
	$(SUPPLY)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --mc-type application \
		--output-reproducible --sv 1.6 --of JSON -o dist/calaim-fhir-hub.cdx.json

clean:
	rm -rf $(VENV) $(SUPPLY) build dist *.egg-info

$(VENV)/.runtime: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.development: tests/requirements.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.lock
	touch $@

$(VENV)/.bench: tests/bench/requirements.lock $(VENV)/.development
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/bench/requirements.lock
	touch $@

$(SUPPLY)/.installed: tests/supply/requirements.lock
	test -x $(SUPPLY)/bin/python || $(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@
