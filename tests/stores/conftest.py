"""Stores are tested as they are made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sash.stores import SqliteStore


@pytest.fixture(autouse=True)
def new_records_are_copies() -> None:
    """They are not, here."""


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store in a file."""
    made = SqliteStore(path)
    yield made
    made.close()
