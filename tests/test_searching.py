"""Property tests take the same examples in every run: whatever was loaded before, and whatever Python's hashes are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searching import searching

pytestmark = pytest.mark.skipif(searching(), reason="a search takes new examples")
ROOT = Path(__file__).parents[1]


def drawn() -> list[tuple[int, str]]:
    """The examples that a property sees."""
    seen: list[tuple[int, str]] = []

    @settings(max_examples=300)
    @given(st.integers(), st.text())
    def look(number: int, text: str) -> None:
        seen.append((number, text))

    look()
    return seen


def test_examples_do_not_depend_on_what_was_loaded_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis draws constants from loaded modules; here, from none, for order and worker decide which are loaded."""
    before = drawn()
    (tmp_path / "loaded_late.py").write_text("A, B, C = 104729, 1299709, 'quince'\n")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("loaded_late")
    assert drawn() == before


@pytest.mark.parametrize("hashes", ["0", "1"])
def test_examples_are_the_same_in_every_process(hashes: str) -> None:
    """Another process, with hashes of its own, sees the examples that this one sees."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); import test_searching as t; print(t.drawn())"
    environment = {**os.environ, "PYTHONHASHSEED": hashes}
    there = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(drawn())
