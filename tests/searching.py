"""Property tests hold fixed examples in `make test` and search for new ones in `make nightly`.

Two profiles of Hypothesis: "fixed" takes the same examples everywhere, at most `MOST`; "search" takes `TIMES` as many
as the test says, by chance from the seed that is printed (`--hypothesis-seed`), and writes whatever fails as an entry
ready to be added.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

MOST = 25
"""Examples of a property that `make test` holds; a test may say fewer."""
TIMES = 20
"""How many examples a search takes for each that a test says, or Hypothesis by default."""
FOUND = Path("counterexamples")
"""Where counterexamples are written; git ignores it."""

# Machines are shared and slow at times: how long an example takes is no law, and tests judge no time.
PATIENT: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "database": None}
settings.register_profile("fixed", derandomize=True, print_blob=True, max_examples=MOST, **PATIENT)
settings.register_profile("search", print_blob=True, **PATIENT)
settings.load_profile("fixed")


def searching() -> bool:
    """Whether new examples are looked for."""
    return settings.get_current_profile_name() == "search"


def seed_of(config: pytest.Config) -> str:
    """The seed of this search; that of every other run is 0."""
    return str(config.getoption("hypothesis_seed") or 0)


@pytest.fixture
def search_seed(pytestconfig: pytest.Config) -> str:
    """What chance begins from in tests that draw by themselves."""
    return seed_of(pytestconfig)


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Fixed examples are those of the test alone.

    Hypothesis also draws constants from whatever modules happen to be loaded, which differ by order and worker.
    """
    if not searching():
        providers._get_local_constants = Constants


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """How many examples each property takes; what is marked nightly says so itself."""
    tests: list[tuple[Any, pytest.Item]] = [(getattr(item, "obj", None), item) for item in items]
    properties = {test: item for test, item in tests if is_hypothesis_test(test)}
    for test, item in properties.items():
        if not item.get_closest_marker("nightly"):
            said = test._hypothesis_internal_use_settings
            examples = said.max_examples * TIMES if searching() else min(said.max_examples, MOST)
            test._hypothesis_internal_use_settings = settings(said, max_examples=examples)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a search found is shown with the failure, and written to a file of its own."""
    report = yield
    if searching() and report.failed and call.when == "call" and call.excinfo is not None:
        entry = "\n".join(_entry(item, call.excinfo.value))
        name = re.sub(r"\W+", "-", item.nodeid).strip("-")[-150:]
        file = keep(f"{name}-{seed_of(item.config)}", entry)
        report.sections.append((f"Ready to be added: {file}", entry))
    return report


def keep(name: str, entry: str) -> Path:
    """Write an entry behind those of its name; where it is."""
    FOUND.mkdir(exist_ok=True)
    file = FOUND / f"{name}.py"
    with file.open("a", encoding="utf-8") as kept:
        kept.write(f"{entry}\n")
    return file


def _entry(item: pytest.Item, error: BaseException) -> Iterator[str]:
    """The lines of a counterexample: where it was found and, as code, what was found."""
    yield f"# again: make nightly SEED={seed_of(item.config)} TESTS='{item.nodeid}'"
    examples: list[str] = getattr(item, "_hypothesis_failing_examples", [])
    for example in examples:
        yield f"@example({example.partition('(')[2]}"
    for note in _notes(error):
        if not any(example in note for example in examples):
            yield from (f"# {line}" for line in note.strip().splitlines())


def _notes(error: BaseException) -> Iterator[str]:
    """What Hypothesis noted on an error, or on each of a group."""
    yield from getattr(error, "__notes__", ())
    for one in getattr(error, "exceptions", ()):
        yield from _notes(one)
