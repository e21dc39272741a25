# Everything a person or a build server calls. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STUDIO := $(VENV)/.studio-is-installed
DEV := $(VENV)/.dev-is-installed

export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help studio test check e2e bench clean

help: ## Say what there is
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## /\1\t/' | expand -t 10

studio: $(STUDIO) ## Install if need be, then start the studio and print its address
	$(BIN)/egs up

test: $(DEV) browser ## Run all tests, a file of them on each core
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(DEV) ## Format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

e2e: $(DEV) browser ## Run the browser tests only
	$(BIN)/pytest tests/e2e

bench: $(DEV) ## Run the measurements in benchmarks/
	@set -e; for file in $(wildcard benchmarks/[a-z]*.py); do \
		echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file; \
	done

clean: ## Remove what was installed and built; runs stay where they are
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache test-results
	find app engine pages storage tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: browser
browser:
	@for name in chromium chromium-browser google-chrome; do \
		command -v $$name >/dev/null 2>&1 && exit 0; \
	done; \
	echo "There is no Chromium, so the browser tests cannot run here."; \
	echo "Install it, on Debian and Ubuntu with: sudo apt install chromium"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, not " + sys.version.split()[0] \
		+ "; run make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(STUDIO): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable .
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[dev]'
	@touch $@ $(STUDIO)
