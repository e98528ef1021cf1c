# Serai from a checkout: only Python ≥ 3.11, make and git are assumed. `make` alone lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup demo day test check style types layers yaml bench real mutation fuzz model histories
BIN := .venv/bin
STAMP := .venv/serai-setup.stamp
# `make day ARGS=--json`, `make test ARGS="-k merge"`: extra words for the command behind the target.
ARGS ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with every dependency at its pinned version (again only when pyproject.toml or constraints.txt changed)

demo: setup ## a small retailer on simulated systems, kept in agreement; prints the addresses of the console and the Prefect UI
	@$(BIN)/serai demo $(ARGS)

day: setup ## a scripted trading day, judged by the systems' own books; exit code 0 only if every system is right
	@$(BIN)/serai demo --once $(ARGS)

test: setup ## every test that needs no third-party system, for two cores (ARGS="-k merge" for some, ARGS="-n 0" on one)
	@$(BIN)/python -m pytest -m "not real" -n 3 $(ARGS)

check: style types layers yaml ## what can be said without running: style, types, who imports whom, settings, mappings and their tests

style: setup
	$(BIN)/ruff check .
types: setup
	$(BIN)/mypy
layers: setup
	$(BIN)/lint-imports
yaml: setup
	$(BIN)/serai lint --all --project deployments/demo
	$(BIN)/serai lint --all --project deployments/sandbox/retail
	$(BIN)/serai lint --project deployments/examples/messages
	$(BIN)/serai test --project deployments/examples/messages
	$(BIN)/serai lint README.md connectors mappings flows registry deployments
	$(BIN)/serai test --all --project deployments/demo
	$(BIN)/serai test --all --project deployments/sandbox/retail

mutation: setup ## change every mapping in every place and count who notices: lint, or the tests in its file (ARGS=mappings/shopify)
	@$(BIN)/python -m tests.mutation $(ARGS)

model: setup ## the escrow of stock in larger scopes than the tests search: minutes
	@SERAI_TEST_MODEL=full $(BIN)/python -m pytest -n 0 -s tests/model $(ARGS)

fuzz: setup ## five minutes of whatever authors and documents may hold, against the loader, the compiler and their mappings
	@$(BIN)/python -m tests.fuzz $(ARGS)

histories: setup ## ten thousand orders, told late, twice and in any order: every unit and every cent in its place
	@$(BIN)/python -m tests.property.order_histories $(ARGS)

bench: setup ## measure against bare loops in the same run; prints a profile
	@$(BIN)/python -m tests.bench $(ARGS)

real: setup ## Tryton with its till, Medusa and Vendure, booted here and kept in agreement (needs npm and PostgreSQL; skips visibly without)
	@$(BIN)/python -m pytest -m real -rs tests/integration $(ARGS)

# The stamp is written last: an interrupted set-up starts over. uv when present, else venv and pip; a half-made .venv
# (Debian without python3-venv leaves one) is removed rather than believed.
$(STAMP): pyproject.toml constraints.txt
	@set -e; \
	if [ ! -x $(BIN)/python ]; then \
	  python=; for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	    if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; done; \
	  if command -v uv >/dev/null 2>&1; then echo "setup: uv makes .venv"; uv venv --quiet $${python:+--python $$python} .venv; \
	  elif [ -z "$$python" ]; then echo "setup: no Python >= 3.11 on the PATH; install one (or uv) and run make again" >&2; exit 1; \
	  else echo "setup: $$python makes .venv"; \
	    $$python -m venv .venv || { rm -rf .venv; echo "setup: $$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	  fi; fi; \
	echo "setup: installing the pinned dependencies (a minute or two the first time)"; \
	if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'; fi; \
	touch $@; echo "setup: done"
