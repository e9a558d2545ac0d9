"""Real data, where it is, and the bases that this interpreter has."""

import os
from pathlib import Path

import pytest

from sash.counting import bases

BASES = [name for name in ("ctok", "tiktoken", "features") if bases._at_hand(name)]


@pytest.fixture
def data() -> Path:
    """The folder of recorded data; its tests are skipped without it."""
    folder = os.environ.get("SASH_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SASH_DATA is not set")
    return Path(folder)


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest) -> str:
    """Each base at hand."""
    name: str = request.param
    return name
