# Everything a developer, the demo and CI do starts here. `make` alone lists the targets.
#
# Needed on the machine: make, Python 3.11 or newer with its venv module, Node 20 or newer with npm. All else goes into
# the checkout (.venv/, node_modules/, .local/), pinned by hash. Debian packages (a Postgres server for the compose
# test, Chromium for the screenshots) are installed where apt-get is there and we are root; elsewhere the target or the
# test that needs one names the package.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `zdd` lies in plugins/, where Airflow finds it by itself and we have to say so.
RUN := PYTHONPATH="$(CURDIR)/plugins" $(BIN)/python
UV := $(BIN)/uv --quiet
COMPILE := $(UV) pip compile --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock"

# Values that a caller may give: make films FILMS=DIR STEP=5, make demo-once UNSAFE=1, make test ARGS="-k drain".
FILMS ?=
STEP ?=
UNSAFE ?=
ARGS ?=
UPGRADE ?=

.PHONY: help
help:  ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up ----------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: $(VENV)/.installed node_modules/.installed  ## Install the locked packages into the checkout (a second run is quick)

$(VENV)/.installed: requirements-dev.txt requirements-bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "expected Python 3.11 or newer, found $$($(PYTHON) --version 2>&1); install it or give PYTHON=…" >&2; exit 1; }
	@test -x $(BIN)/pip || scripts/make-venv.sh $(PYTHON) $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	@$(UV) pip install --python $(BIN)/python --require-hashes -r requirements-dev.txt
	@touch $@

node_modules/.installed: package.json package-lock.json .npmrc
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' || { \
		echo "expected Node 20 or newer with npm, found $$(node --version 2>&1); install it" >&2; exit 1; }
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# --- the product at work ---------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup  ## One release of a busy app on this machine, to watch in Airflow; it stays up until Ctrl-C
	@$(RUN) -m demo

.PHONY: demo-once
demo-once: setup  ## The same release without a person, counted at the end [UNSAFE=1: without the gates]
	@$(RUN) -m demo --once $(if $(UNSAFE),--unsafe)

.PHONY: films
films: setup  ## Replay recordings of the real engine against the drain verdict [FILMS=DIR] [STEP=N]
	@$(RUN) -m films $(or $(FILMS),tests/data/films) $(if $(STEP),--step $(STEP)) $(ARGS)

.PHONY: bench
bench: setup  ## Measure the drain verdict against its speed goals
	@$(RUN) -m bench $(ARGS)

.PHONY: screenshots
screenshots: setup  ## Take docs/images/*.png from the running stack with Chromium
	@scripts/debian-packages.sh --required chromium
	@$(RUN) scripts/screenshots.py $(ARGS)

# --- checks ----------------------------------------------------------------------------------------------------------

.PHONY: check
check: setup  ## Lint, format, types, and the compose file against its specification
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy plugins local_azure
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml

.PHONY: test
test: setup  ## Run the tests, a file at a time in each of two processes [ARGS="-k words"]
	@scripts/debian-packages.sh postgresql
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations=15 --durations-min=5 $(ARGS)

# --- upkeep ----------------------------------------------------------------------------------------------------------

.PHONY: lock
lock: setup  ## Rewrite the locks from the .in files and package.json, keeping pins that still fit [UPGRADE=1: newest]
	@for name in requirements-bootstrap requirements requirements-dev; do \
		$(COMPILE) $(if $(UPGRADE),--upgrade) $$name.in -o $$name.txt; done
	@npm install --package-lock-only --no-audit --no-fund --loglevel=error

.PHONY: clean
clean:  ## Remove what the other targets made, the environment included
	@rm -rf $(VENV) node_modules .local .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
