"""What tests of the examples share: an example by its path, and no key."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Import a file of an example, as its command would run it: without a key, in an empty folder."""
    for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "SASH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def loaded(path: str) -> ModuleType:
        name = f"example_{path.replace('/', '_').removesuffix('.py')}"
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return loaded
