# Two commands for a fresh machine: `make demo` and `make test`. Each sets up what it needs.
# The interpreter: 3.12 or newer when one is found (it brings the exact token counter), on PATH or
# among pyenv's, else 3.11. Override with `make PYTHON=/path/to/python`.
PYTHON ?= $(shell sh scripts/find-python)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test lint check nightly clean

demo: $(READY)
	$(BIN)/sash demo

test: $(READY)
	$(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

check: lint test

nightly: $(READY)
	$(BIN)/python -m pytest -n 2 -m nightly

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1' -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[charts,redis,semantic]' --group dev
	touch $(READY)

clean:
	rm -rf $(VENV)
