# Two commands for a fresh machine: `make demo` and `make test`. Each sets up what it needs.
# The interpreter: 3.12 or newer when one is found (it brings the exact token counter), on PATH or
# among pyenv's, else 3.11. Override with `make PYTHON=/path/to/python`.
PYTHON ?= $(shell sh scripts/find-python)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DOCS_READY := $(VENV)/.ready-docs

# A search for what breaks a law begins from chance, and prints from which: `make nightly SEED=N` takes it again.
# TESTS narrows it down.
ifndef SEED
SEED   := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
endif
export PYTHONHASHSEED = 0
TESTS  ?= tests
# What `make walks` searches by itself.
WALKED = tests/laws/test_walks.py::test_any_walk_keeps_the_laws
# Interpreters that `make package` installs into, and extras that it asks for.
PYTHONS ?= $(shell sh scripts/find-python all)
EXTRAS  ?=
PARALLEL = -n 2 --dist worksteal
# Runs of `make stress`, and how many of them go on at once, each in the others' way.
RUNS   ?= 10
AT_ONCE ?= 1

# Walks under each strategy of `make walks`; STRATEGIES names some of them, else all take theirs.
WALKS  ?= 1000
STRATEGIES ?=
WALK   = $(BIN)/python tests/search_walks.py --walks $(WALKS) --seed $(SEED) $(STRATEGIES)

.PHONY: demo test lint check nightly walks stress docs docs-serve clean

demo: $(READY)
	$(BIN)/sash demo

test: $(READY)
	$(BIN)/python -m pytest $(PARALLEL)

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/vulture

check: lint test

walks: $(READY)
	$(WALK)

# The search: many more examples of every property, and then walks (all but when TESTS narrows it down).
# Counterexamples are shown and kept in the folder counterexamples/, ready to be added.
nightly: $(READY)
	@echo "make nightly SEED=$(SEED)"
	@status=0; \
	$(BIN)/python -m pytest $(PARALLEL) -m "nightly or hypothesis" --hypothesis-profile=search \
	    --hypothesis-seed=$(SEED) --deselect $(WALKED) '$(TESTS)' || status=1; \
	$(if $(filter tests,$(TESTS)),$(WALK) || status=1;) exit $$status

# All tests RUNS times on a busy machine; prints what failed, and else nothing.
stress: $(READY)
	@$(BIN)/python scripts/stress.py $(RUNS) $(AT_ONCE) $(PARALLEL) -p no:cacheprovider

# The wheel and the source archive in dist/, each installed into a fresh environment of every Python that is here, and used.
package: $(READY)
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	$(BIN)/python scripts/check_package.py dist $(if $(EXTRAS),--extras $(EXTRAS)) $(PYTHONS)

# The documentation as a site, in site/: a warning fails it. Nothing in it is loaded from elsewhere.
docs: $(DOCS_READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: $(DOCS_READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group docs
	touch $(DOCS_READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1' -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[charts,postgres,redis,semantic,serve]' --group dev
	touch $(READY)

clean:
	rm -rf $(VENV)
