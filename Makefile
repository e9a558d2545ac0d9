# Two commands for a fresh machine: `make demo` and `make test`. Each sets up what it needs; `make help` lists all.
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
# Processes of tests begin sooner where the modules they import have been compiled before.
export PYTHONDONTWRITEBYTECODE =
TESTS  ?= tests
# What `make walks` searches by itself.
WALKED = tests/laws/test_walks.py::test_any_walk_keeps_the_laws
# Interpreters that `make package` installs into, and extras that it asks for.
PYTHONS ?= $(shell sh scripts/find-python all)
EXTRAS  ?=
LINTED = src tests benchmarks scripts $(wildcard examples)
# A worker more than there are cores, for some tests wait for another process, but never a crowd of them.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 8 ? cores + 1 : 9)))
PARALLEL = -n $(WORKERS) --dist worksteal
# What `make quick` runs, and each commit where pre-commit is installed.
QUICK = tests/test_laws_of_the_house.py tests/test_model_news.py tests/planning/test_rules.py tests/docs/test_site.py
# Runs of `make stress`, and how many of them go on at once, each in the others' way.
RUNS   ?= 10
AT_ONCE ?= 1

# What `make peers` installs and runs.
PEERS ?= $(basename $(notdir $(wildcard benchmarks/peers/requirements/*.txt)))

# Walks under each strategy of `make walks`; STRATEGIES names some of them, else all take theirs.
WALKS  ?= 1000
STRATEGIES ?=
WALK   = $(BIN)/python tests/search_walks.py --walks $(WALKS) --seed $(SEED) $(STRATEGIES)

.DEFAULT_GOAL := help
.PHONY: help demo test quick lint check nightly walks stress peers models package figures screenshots docs docs-serve clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## replays a long conversation on the simulator; needs no key
	$(BIN)/sash demo

test: $(READY) ## all tests, the same run every time
	$(BIN)/python -m pytest $(PARALLEL)

quick: $(READY) ## the tests of a few seconds: laws of the house, rules, planning, documentation
	$(BIN)/python -m pytest $(PARALLEL) $(QUICK)

lint: $(READY) ## the linters and type checkers
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/vulture

check: lint test ## both: what a change must pass

walks: $(READY) ## random walks under every strategy (WALKS=1000 STRATEGIES=...)
	$(WALK)

# The search: many more examples of every property, and then walks (all but when TESTS narrows it down).
# Counterexamples are shown and kept in the folder counterexamples/, ready to be added.
nightly: $(READY) ## searches for new counterexamples (SEED=N TESTS=path)
	@echo "make nightly SEED=$(SEED)"
	@status=0; \
	$(BIN)/python -m pytest $(PARALLEL) -m "nightly or hypothesis" --hypothesis-profile=search \
	    --hypothesis-seed=$(SEED) --deselect $(WALKED) '$(TESTS)' || status=1; \
	$(if $(filter tests,$(TESTS)),$(WALK) || status=1;) exit $$status

# All tests RUNS times on a busy machine; prints what failed, and else nothing.
stress: $(READY) ## the tests on a busy machine (RUNS=10 AT_ONCE=1)
	@$(BIN)/python scripts/stress.py $(RUNS) $(AT_ONCE) $(PARALLEL) -p no:cacheprovider

# Other libraries in environments of their own, under .peers/; the page it writes is benchmarks/results/peers.md.
peers: $(READY) $(PEERS:%=.peers/%/.ready) ## other libraries on the same conversations; slow (PEERS="langchain llm")
	$(BIN)/python -m benchmarks.peers --peers $(PEERS)

.peers/%/.ready: benchmarks/peers/requirements/%.txt
	$(PYTHON) -m venv .peers/$*
	.peers/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

models: $(READY) ## compares the table of models with the SDK and genai-prices, and says what is new
	$(BIN)/python scripts/model_news.py

# The wheel and the source archive in dist/, each installed into a fresh environment of every Python that is here, and used.
package: $(READY) ## builds wheel and source archive, and uses each in fresh environments (PYTHONS=... EXTRAS=all)
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	$(BIN)/python scripts/check_package.py dist $(if $(EXTRAS),--extras $(EXTRAS)) $(PYTHONS)

# The documentation as a site, in site/: a warning fails it. Nothing in it is loaded from elsewhere.
docs: $(DOCS_READY) ## builds the documentation into site/; a warning fails it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

figures: $(READY) ## draws the figures of the documentation anew
	$(BIN)/python scripts/figures.py

screenshots: $(READY) ## takes the pictures of README anew (needs Chromium)
	$(BIN)/python scripts/screenshots.py

docs-serve: $(DOCS_READY) ## shows it on 127.0.0.1:8000, and again after each change
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group docs
	touch $(DOCS_READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1' -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]' --group dev
	touch $(READY)

clean: ## removes the environment and what was built
	rm -rf $(VENV) dist site
