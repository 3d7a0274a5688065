# Everything needed is Python 3.11+ and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= 1
DELIVERIES ?= 20000
DAYS ?= 14

# This folder holds dagster.yaml; its state goes to the standing home.
export DAGSTER_HOME := $(CURDIR)
export COMPLAINTS_HOME ?= $(CURDIR)/.home
export COMPLAINTS_DAGSTER_STATE ?= $(COMPLAINTS_HOME)/dagster
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# The stamps make a second call free, also without network.
$(VENV)/.stamp: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name it with PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --no-deps --require-hashes --only-binary :all: -r requirements.lock
	@echo '$(CURDIR)' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/complaint_assets.pth"
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp requirements-test.lock
	$(BIN)/python -m pip install -q --no-deps --require-hashes --only-binary :all: -r requirements-test.lock
	@touch $@

install: $(VENV)/.stamp ## Create the environment

demo: $(VENV)/.stamp ## Two weeks of simulated traffic, everything materialised, UI on loopback (SERVE=0: no UI)
	@$(BIN)/python -m complaint_assets.cli demo --deliveries $(DELIVERIES) --days $(DAYS)
	@if [ "$(SERVE)" != "0" ]; then exec $(BIN)/python -m complaint_assets.cli ui; fi

dev: $(VENV)/.stamp ## UI and daemon on the standing home
	@exec $(BIN)/python -m complaint_assets.cli ui

test: $(VENV)/.stamp-test ## Every test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

faults: $(VENV)/.stamp-test ## The fault table: kills, pauses, contention, damage; writes docs/reliability.md (ROWS=...)
	@$(BIN)/python -m complaint_assets_tests.faults $(ROWS)

check: $(VENV)/.stamp-test ## Lint, format, types, import direction, definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest complaint_assets_tests/test_house.py
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/dg check defs

lock: ## Renew the locked versions (needs uv)
	uv pip compile pyproject.toml --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header -q -o requirements.lock
	uv pip compile pyproject.toml --extra test -c requirements.lock --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header -q -o requirements-test.lock

clean: ## Remove the standing home
	rm -rf "$(COMPLAINTS_HOME)"

.PHONY: help install demo dev test faults check lock clean
