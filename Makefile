# Everything a person needs: `make demo`, `make run`, `make dev`, `make test`, `make check`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Settings that `make run` and `make dev` take, passed on to the program as CLUSTERING_* variables.
IMAGES ?=
MUSIC ?=
OUTPUT ?=
PORT ?= 3000
ARGS ?=
DEMO_ARGS ?=

# Processes that the tests run in; each file of tests stays in one of them. TESTS names some of the tests.
WORKERS ?= 2
TESTS ?=
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadfile $(TESTS)

ifneq ($(value IMAGES),)
export CLUSTERING_IMAGES := $(value IMAGES)
endif
ifneq ($(value MUSIC),)
export CLUSTERING_MUSIC := $(value MUSIC)
endif
ifneq ($(value OUTPUT),)
export CLUSTERING_OUTPUT := $(value OUTPUT)
endif

# A variable that is none of these is a slip of the pen, such as IMAGE=.
TAKEN := PYTHON VENV IMAGES MUSIC OUTPUT PORT ARGS DEMO_ARGS WORKERS TESTS PYTEST SHELL CLUSTERING_%
GIVEN := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
ifneq ($(filter-out $(TAKEN) MAKE%,$(GIVEN)),)
$(error $(filter-out $(TAKEN) MAKE%,$(GIVEN)): there is no such variable; there are $(filter-out PYTEST SHELL CLUSTERING_%,$(TAKEN)))
endif

.PHONY: help setup demo run dev test test-all lint check format clean

help:
	@echo "make demo                             sample pictures and music, then everything on them"
	@echo "make run IMAGES=DIR MUSIC=DIR OUTPUT=DIR [ARGS='--clusters 8']   your own pictures"
	@echo "make dev [IMAGES=DIR MUSIC=DIR OUTPUT=DIR PORT=3000]             the Dagster UI with the sensors on"
	@echo "make test                             the test suite (make test-all: the slow tests too)"
	@echo "make check                            lint, types, architecture, definitions"

setup: $(STAMP)

$(STAMP): pyproject.toml
	@echo "Setting up $(VENV), once: an environment of its own, then about 7 GB of packages, which takes minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	@$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python -e ".[dev,faces,kaggle,ray]"
	@touch $@
	@echo "$(VENV) is ready"

demo: $(STAMP)
	$(BIN)/python -m clustering_assets demo $(DEMO_ARGS)

run: $(STAMP)
	$(BIN)/python -m clustering_assets run $(ARGS)

dev: $(STAMP)
	CLUSTERING_SENSORS=true $(BIN)/python -m clustering_assets ui --port $(PORT)

test: $(STAMP)
	$(PYTEST)

test-all: $(STAMP)
	$(PYTEST) -m "slow or not slow"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: lint
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/dagster definitions validate -m clustering_assets.definitions

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf output data/demo .dagster
