"""Where the real conversations are, for the tests that read them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def data() -> Callable[[str], Path]:
    """A path below SASH_DATA; the test is skipped where that directory, or the file, is missing."""

    def find(name: str) -> Path:
        root = os.environ.get("SASH_DATA")
        if not root or not (Path(root) / name).exists():
            pytest.skip(f"SASH_DATA has no {name}")
        return Path(root) / name

    return find
