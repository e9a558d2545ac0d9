"""Stores are tested as they are made."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def new_records_are_copies() -> None:
    """They are not, here."""
