# make run · test · test-random (properties with new examples) · check · bench · oracle · mutations: each installs what
# it needs into .venv first
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-long test-random check bench oracle mutations clean

run: $(VENV)/.runtime
	$(BIN)/hub migrate
	$(BIN)/hub demo
	exec $(BIN)/hub serve

test: $(VENV)/.development
	$(BIN)/python -m pytest -m "not long" -n 2 --dist worksteal

test-long: $(VENV)/.development
	$(BIN)/python -m pytest

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

clean:
	rm -rf $(VENV) build *.egg-info

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
