"""What every contract suite starts from: each store in turn, and a new conversation of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import STORES
from recording import Recorder


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each store in turn."""
    where = request.getfixturevalue("postgres_url") if request.param == "postgres" else tmp_path
    made = STORES[request.param](where)
    yield made
    made.close()


@pytest.fixture
def record(store: Any) -> Recorder:
    """A new conversation of it."""
    return Recorder(store)
