"""Paths of memory files: what is kept can be written to a file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from sash.errors import InvalidOption
from sash.model.memory_files import LONGEST_NAME, ROOT, memory_path


@pytest.mark.parametrize("sign", ["a", "é", "本", "🌰"])
def test_every_name_that_is_kept_can_be_exported(sign: str, tmp_path: Path) -> None:
    """In whatever script; one that is a character longer is refused, by the bound's name."""
    most = min(LONGEST_NAME // len(sign.encode()), 256 - len(ROOT) - 1)
    path = memory_path(f"{ROOT}/{sign * most}")
    (tmp_path / path.removeprefix(f"{ROOT}/")).write_text("kept")
    with pytest.raises(InvalidOption, match="at most"):
        memory_path(f"{ROOT}/{sign * (most + 1)}")
