# What a person types. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-timing test-bench test-browser test-cluster benchmark lint types format clean

# The first Python that this project runs on.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/run.stamp  ## install, then stylise a photograph, offline
	$(RUN) scripts/stylize.py experiment=demo

test: $(VENV)/dev.stamp  ## install, then run the tests, offline, in minutes
	$(RUN) -m pytest -n 2 --dist loadscope -m "not slow and not timing and not bench and not browser and not cluster"

test-slow: $(VENV)/dev.stamp  ## the tests that take minutes each, on real weights where they are at hand
	$(RUN) -m pytest -n 2 --dist loadscope -m slow

test-timing: $(VENV)/dev.stamp  ## what the engine costs in time, on an idle machine
	$(RUN) -m pytest -s -m timing

test-bench: $(VENV)/bench.stamp  ## the tests of the benchmark, with PyTorch
	$(RUN) -m pytest -m bench

test-browser: $(VENV)/dev.stamp  ## the tests of the report's page, in Chromium where there is one
	$(RUN) -m pytest -m browser

test-cluster: $(VENV)/cluster.stamp  ## sweeps on a Slurm and a Ray started for the purpose, and the search by Optuna
	$(RUN) -m pytest -s tests/cluster tests/end_to_end/test_search.py

benchmark: $(VENV)/bench.stamp  ## measure against PyTorch on this machine, half an hour; writes docs/benchmarks.md
	$(RUN) scripts/benchmark.py

lint: $(VENV)/dev.stamp  ## ruff: rules and format
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/dev.stamp  ## mypy
	$(RUN) -m mypy

format: $(VENV)/dev.stamp  ## let ruff mend what it can
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:  ## remove the virtual environment and caches; outputs stay
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache *.egg-info

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11, 3.12 or 3.13 is needed; set PYTHON=/path/to/it"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip

$(VENV)/run.stamp: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet -r requirements.txt
	@$(RUN) -m pip install --quiet --no-deps --editable . >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	$(RUN) -m pip install --quiet --editable '.[bench]'
	@touch $@

# The extra `joblib` too, so that pip looks for versions that suit all of them.
$(VENV)/cluster.stamp: $(VENV)/dev.stamp
	$(RUN) -m pip install --quiet --editable '.[joblib,slurm,ray,optuna]'
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(RUN) -m pip install --quiet -r requirements-dev.txt
	@touch $@
