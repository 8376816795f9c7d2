# Backflush: the commands everyone relies on. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON_BIN := $(CURDIR)/.venv/bin/python
EMBEDDED := $(PYTHON_BIN) -m config.embedded
# The order of the files is that of tests/conftest.py: the longest first.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
BENCH_ARGS ?=
DEMO_ARGS ?=

# Tests, smoke run and bench have databases of their own, so that a running demo is not disturbed.
TEST_VAR ?= var/test
SMOKE_VAR ?= var/smoke
BENCH_VAR ?= var/bench

.PHONY: help venv demo smoke test bench bench-scale check test-real lint format stop clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS=$$'\t' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

venv: ## make .venv from the lock file (done again when the lock file changes)
	@scripts/make_venv.sh

demo: venv ## start everything with the demo company and print the address; Ctrl-C stops all
	@exec $(EMBEDDED) demo $(DEMO_ARGS)

smoke: venv ## the main job over HTTP on a throw-away database; prints each figure
	@BACKFLUSH_VAR=$(SMOKE_VAR) $(EMBEDDED) demo --fresh --with "python scripts/smoke.py"

test: venv ## everything that must pass: real PostgreSQL, real broker, real browser
	@BACKFLUSH_VAR=$(TEST_VAR) scripts/ensure_chromium.sh $(EMBEDDED) run -- python -m pytest $(PYTEST_ARGS)

test-real: venv ## the extra tests that drive third-party servers
	@if [ ! -d tests/real ]; then echo "There is no folder tests/real: no test drives a third-party server."; exit 1; fi
	@BACKFLUSH_VAR=$(TEST_VAR) $(EMBEDDED) run -- python -m pytest tests/real $(PYTEST_ARGS)

bench: venv ## measure completions and recomputes beside the raw-SQL floor; writes var/bench.json
	@BACKFLUSH_VAR=$(BENCH_VAR) $(EMBEDDED) run -- python -m bench $(BENCH_ARGS)
	@BACKFLUSH_VAR=$(BENCH_VAR) $(EMBEDDED) run -- python -m bench.recompute $(BENCH_ARGS)
	@BACKFLUSH_VAR=$(BENCH_VAR) $(EMBEDDED) run -- python -m bench.year $(BENCH_ARGS)
	@BACKFLUSH_VAR=$(BENCH_VAR) $(EMBEDDED) run -- python -m bench.data_sets $(BENCH_ARGS)

bench-scale: venv ## build the large data set and measure how things grow
	@BACKFLUSH_VAR=$(BENCH_VAR) $(EMBEDDED) run -- python -m bench.scale $(BENCH_ARGS)

check: venv ## ruff, mypy, import contracts, templates, migrations, deployment settings
	@BACKFLUSH_VAR=$(TEST_VAR) $(EMBEDDED) run -- scripts/check.sh

lint: venv ## ruff only
	@$(PYTHON_BIN) -m ruff check .
	@$(PYTHON_BIN) -m ruff format --check .

format: venv ## format and sort imports
	@$(PYTHON_BIN) -m ruff check --fix-only --quiet .
	@$(PYTHON_BIN) -m ruff format .

stop: venv ## stop every process of this checkout
	@for var in var $(TEST_VAR) $(SMOKE_VAR) $(BENCH_VAR); do \
		if [ -d "$$var" ]; then BACKFLUSH_VAR="$$var" $(EMBEDDED) stop; fi; done

clean: ## stop all; remove .venv, caches and the databases of tests, smoke run and bench; the demo's data stays
	@if [ -x $(PYTHON_BIN) ]; then \
		if [ -d var ]; then $(EMBEDDED) stop; fi; \
		for var in $(TEST_VAR) $(SMOKE_VAR) $(BENCH_VAR); do \
			if [ -d "$$var" ]; then \
				BACKFLUSH_VAR="$$var" $(EMBEDDED) stop; \
				BACKFLUSH_VAR="$$var" $(EMBEDDED) destroy --yes; fi; done; fi
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache $(TEST_VAR) $(SMOKE_VAR) $(BENCH_VAR)
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
	@echo "Cleaned. The demo's data is kept; to remove it: make venv && .venv/bin/python -m config.embedded destroy --yes"
