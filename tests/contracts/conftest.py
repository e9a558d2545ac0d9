"""What every contract suite starts from: each store in turn, and a new conversation of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

import servers
from conftest import STORES
from recording import Recorder
from sash.stores.postgres.store import PostgresStore

HELD = "postgres, held"
"""PostgreSQL with row-level security, for a user whom it holds: one namespace at a time."""
AS_HELD = ("test_stores", "test_memory_files", "test_summaries")
"""Files of tests that are run so, too, but for those that look into several namespaces."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each store in turn."""
    if "store" in metafunc.fixturenames:
        several = metafunc.definition.get_closest_marker("namespaces")
        held = metafunc.module.__name__.rpartition(".")[2] in AS_HELD and several is None
        metafunc.parametrize("store", [*sorted(STORES), *([HELD] if held else [])], indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A store of the kind that is asked for."""
    with ExitStack() as stack:
        if request.param != HELD:
            where = request.getfixturevalue("postgres_url") if request.param == "postgres" else tmp_path
            yield stack.enter_context(closing(STORES[request.param](where)))
            return
        url = request.getfixturevalue("postgres_url")
        servers.keep_tenants_apart(url)
        yield stack.enter_context(closing(PostgresStore(servers.as_application(url), namespace="")))


@pytest.fixture
def record(store: Any) -> Recorder:
    """A new conversation of it."""
    return Recorder(store)
