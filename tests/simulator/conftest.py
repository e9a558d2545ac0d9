"""What the simulator's tests share: a simulator, ways to reach it, and bodies that pass."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest

import recorded
from sash.simulator import Simulator


@pytest.fixture
def sim() -> Simulator:
    """A fresh simulator with a turned clock."""
    return Simulator()


@pytest.fixture(params=["in process", "over a socket"])
def client(request: pytest.FixtureRequest, sim: Simulator) -> Iterator[anthropic.Anthropic]:
    """The unmodified SDK, in process and over a real socket; it does not retry."""
    if request.param == "in process":
        with sim.client(max_retries=0) as made:
            yield made
        return
    with sim.serve() as url, anthropic.Anthropic(base_url=url, api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture(scope="session")
def data() -> Path:
    """The directory of recorded data; tests that need it are skipped without."""
    where = os.environ.get("SASH_DATA")
    if not where or not Path(where).is_dir():
        pytest.skip("SASH_DATA names no directory of recorded data")
    return Path(where)


@pytest.fixture(scope="session")
def recordings(data: Path) -> list[dict[str, Any]]:
    """Recorded exchanges of /v1/messages with the real API."""
    return recorded.recordings(data)
