# Commands for people. `make` without a target lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-faults test-timing test-bench test-browser test-cluster test-gpu coverage benchmark docs lint types format clean

# The first Python interpreter on the path that this project supports.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
FAST := -n 2 --dist worksteal -m "not slow and not timing and not bench and not browser and not cluster and not faults and not gpu"

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/run.stamp  ## install the program and stylise a sample photograph; needs no network beyond the package index
	$(RUN) scripts/stylize.py experiment=demo

test: $(VENV)/dev.stamp  ## install the program and run the tests that need neither network nor GPU, in a few minutes
	$(RUN) -m pytest $(FAST)

test-slow: $(VENV)/dev.stamp  ## run the tests that take minutes each; some need real weights (NST_TF_SHARED)
	$(RUN) -m pytest -n 2 --dist loadscope -m slow

test-faults: $(VENV)/dev.stamp  ## damage files and kill processes at random; every fault must end in one clear line
	$(RUN) -m pytest -n 2 -m faults

test-timing: $(VENV)/dev.stamp  ## measure the engine's overhead; the machine must be idle otherwise
	$(RUN) -m pytest -s -m timing

test-bench: $(VENV)/bench.stamp  ## run the tests of the benchmark, which install PyTorch
	$(RUN) -m pytest -m bench tests/benchmarks

test-browser: $(VENV)/dev.stamp  ## run the tests of the report's page in Chromium, if it is installed
	$(RUN) -m pytest -m browser tests/browser

test-cluster: $(VENV)/cluster.stamp  ## run sweeps on temporary Slurm and Ray clusters, and a search by Optuna
	$(RUN) -m pytest -s tests/cluster tests/end_to_end/test_search.py

test-gpu: $(VENV)/dev.stamp  ## run the tests on a GPU, if there is one, with CUDA from the package index
	@if nvidia-smi >/dev/null 2>&1; then $(MAKE) --no-print-directory $(VENV)/gpu.stamp; fi
	$(RUN) -m pytest -m gpu tests/gpu

coverage: $(VENV)/dev.stamp  ## run `make test` and print the lines and branches that it covers
	$(RUN) -m pytest $(FAST) --cov --cov-report=term:skip-covered

benchmark: $(VENV)/bench.stamp  ## measure against PyTorch and race other programs for several hours; writes docs/benchmarks.md
	$(RUN) scripts/benchmark.py

docs: $(VENV)/docs.stamp  ## build the documentation into site/; a broken link is an error
	NO_MKDOCS_2_WARNING=true $(RUN) -m mkdocs build --strict --quiet

lint: $(VENV)/dev.stamp  ## check rules and format with ruff
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/dev.stamp  ## check types with mypy
	$(RUN) -m mypy

format: $(VENV)/dev.stamp  ## let ruff repair and format the code
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:  ## remove the virtual environment, the site and the caches; outputs/ stays
	rm -rf $(VENV) build site htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache *.egg-info

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11, 3.12 or 3.13 is needed; set PYTHON=/path/to/it"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip

$(VENV)/run.stamp: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet -r requirements.txt
	@$(RUN) -m pip install --quiet --no-deps --editable . >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(RUN) -m pip install --quiet -r requirements-dev.txt
	@touch $@

$(VENV)/docs.stamp: $(VENV)/dev.stamp
	$(RUN) -m pip install --quiet --editable '.[docs]'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	$(RUN) -m pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/gpu.stamp: $(VENV)/dev.stamp
	$(RUN) -m pip install --quiet --editable '.[gpu]'
	@touch $@

# The extra `joblib` is repeated here so that pip chooses versions that suit all extras at once.
$(VENV)/cluster.stamp: $(VENV)/dev.stamp
	$(RUN) -m pip install --quiet --editable '.[joblib,slurm,ray,optuna]'
	@touch $@
