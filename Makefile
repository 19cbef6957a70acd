# Light Bulb. `make help` lists what can be made.
#
# PYTHON     the interpreter that .virt is built from (3.11 or newer)
# PIP_EXTRA  further options for pip, for example an --extra-index-url
# ARGS       handed on to the server or to pytest

PYTHON ?= python3
PIP_EXTRA ?=
ARGS ?=

VENV := .virt
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := setup
.PHONY: setup run test lint screenshots clean help FORCE
# A dataset is a folder that fills over time: never to be removed as half-made.
.PRECIOUS: dataset/%

setup: $(INSTALLED)  ## build .virt with everything Light Bulb needs (this is what plain `make` does)
	@echo "Light Bulb is set up. Next: make run"

run: $(INSTALLED) dataset/digits  ## label handwritten digits on http://localhost:5000
	$(BIN)/python code/server.py --config config/digits.yml $(ARGS)

# The recipes know themselves what is finished, so this always asks them. The folder's existence says nothing.
dataset/%: FORCE $(INSTALLED)
	@$(BIN)/lightbulb dataset make $(patsubst %/,%,$*)

# A file's tests stay in one process: many share a service. More processes than that would wait for the browser.
test: $(INSTALLED_DEV)  ## run the tests; make test ARGS="tests/datasets -x" runs some
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --durations=10 $(ARGS)

lint: $(INSTALLED_DEV)  ## check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

screenshots: $(INSTALLED_DEV)  ## photograph every page with Chromium, and film labelling
	$(BIN)/python tests/browser/screenshots.py $(ARGS)

clean:  ## remove .virt and caches; datasets, labels and models stay
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis code/*.egg-info
	find code tests -type d -name __pycache__ -prune -exec rm -rf {} +

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@printf '  make %-14s %s\n' dataset/NAME 'make an example dataset, such as digits or cat_not_cat'

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Light Bulb needs Python 3.11 or newer, and '$(PYTHON)' is not. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot build virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || { echo "Building $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@rm -f $@
	$(PIP) install $(PIP_EXTRA) -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(INSTALLED_DEV): requirements-dev.txt $(INSTALLED)
	@rm -f $@
	$(PIP) install $(PIP_EXTRA) -r requirements-dev.txt
	@touch $@
