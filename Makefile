# One command each; `make` alone lists them. Everything is installed into .venv, nothing outside this folder.
PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
STAMP := .venv/.installed
LOG := .venv/install.log
DEMO := checkpoints/runs/demo
# Folders are listed too: a deleted or added file changes them.
NATIVE := $(shell find cpp_mcts/src -type d -o -name '*.cpp' -o -name '*.h')

.DEFAULT_GOAL := help
.PHONY: help setup demo check test lint docs sanitize fuzz bench peers kills clean

help:
	@printf '%s\n' \
	  'make setup     install everything into .venv and build the C++ search' \
	  'make demo      train Tic-Tac-Toe from nothing, then measure it against a perfect player' \
	  'make check     what must hold before a change is taken: make lint, make docs, make test' \
	  'make test      the whole test suite' \
	  'make lint      ruff, mypy, import-linter, clang-format' \
	  'make docs      the documentation as a site with search, into build/docs' \
	  'make sanitize  the C++ search, and odd uses of it, under address, undefined-behaviour and thread sanitizers' \
	  'make fuzz      agents from strangers: 3,000 changed ones, each refused in words or at work' \
	  'make bench     speed of the C++ search' \
	  'make peers     its speed beside other searches, installed into .venv-peers' \
	  'make kills     hundreds of kills of a training: nothing may be lost (an hour)' \
	  'make clean     delete what was built; runs and .venv stay' \
	  '' \
	  'PYTHON=python3.12 chooses the interpreter, PIP_ARGS=... adds options to pip install.'

setup: $(STAMP)

# An interrupted venv has a python but no pip: it is made again.
$(STAMP): pyproject.toml setup.py constraints.txt $(NATIVE)
	@sh -c '$(CHECK)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	@$(BIN)/python .ci/quietly.py $(LOG) 'installing into .venv (PyTorch is large) and building the C++ search: some minutes the first time' \
	  $(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt --config-settings editable_mode=compat -e '.[dev]'
	@touch $@

# What pip would report after minutes, or not in words.
define CHECK
fail() { echo "$$1" >&2; exit 1; }; \
command -v $(PYTHON) >/dev/null || fail "$(PYTHON) is missing: sudo apt install python3 (or make setup PYTHON=...)"; \
$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" \
  || fail "expected Python 3.11 or newer, got $$($(PYTHON) --version): sudo apt install python3.11 python3.11-venv python3.11-dev, then make setup PYTHON=python3.11"; \
$(PYTHON) -c "import ensurepip, venv" 2>/dev/null \
  || fail "the venv module is missing: sudo apt install python3-venv"; \
$(PYTHON) -c "import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path(\"include\") + \"/Python.h\"))" \
  || fail "the headers of Python are missing: sudo apt install python3-dev"; \
command -v $${CXX:-g++} >/dev/null || fail "$${CXX:-g++} is missing: sudo apt install g++"
endef

demo:
	@echo '1 of 3: set-up'
	@$(MAKE) --no-print-directory setup
	@echo '2 of 3: training from nothing, about a minute on 2 idle cores'
	@$(BIN)/muzero train tic_tac_toe --out $(DEMO)
	@echo '3 of 3: 200 games against a perfect player'
	@$(BIN)/muzero evaluate match $(DEMO) --against perfect --games 200
	@printf '%s\n' '' 'What next?'
	@printf '  %-46s %s\n' \
	  '$(BIN)/muzero play $(DEMO)' 'play against what you just trained' \
	  '$(BIN)/muzero play connect_four' 'play against an agent that came along' \
	  '$(BIN)/muzero play atari/pong' 'watch an agent that reads the screen' \
	  '$(BIN)/muzero train connect_four' 'train the next game (an hour)' \
	  '$(BIN)/muzero games' 'list the others'

check:
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory docs
	@$(MAKE) --no-print-directory test

test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=docs $(BIN)/mypy docs/*.py docs/_ext
	$(BIN)/lint-imports --no-cache
	$(BIN)/clang-format --dry-run -Werror $(filter %.cpp %.h,$(NATIVE)) benchmarks/tree_loop.cpp

# A warning is an error: a link or a name that leads nowhere ends the build.
docs: setup
	$(BIN)/python docs/write_results.py --check
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --builder html docs build/docs
	@printf '%s\n' \
	  'build/docs/index.html' \
	  'with excerpts in the results of a search: $(BIN)/python -m http.server -d build/docs, then http://localhost:8000'

sanitize: setup
	PYTHON=$(BIN)/python sh tests/sanitize.sh

fuzz: setup
	$(BIN)/python tests/agent_fuzz.py

bench: setup
	$(BIN)/muzero bench search

kills: setup
	$(BIN)/python benchmarks/kill_test.py
	$(BIN)/python benchmarks/kill_test.py --deaths group actor learner

peers: setup
	$(BIN)/python benchmarks/peers.py

clean:
	rm -rf build dist *.egg-info cpp_mcts/*.so $(STAMP)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find checkpoints cpp_mcts games muzero selfplay tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
