"""The terminal assistant: tools, files, notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.conftest import Load
from sash.simulator import Simulator


@pytest.fixture
def assistant(load: Load, tmp_path: Path) -> Iterator[Any]:
    """Ann's, about a folder with a recipe; a secret lies beside it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "recipe.md").write_text("Walnut cake takes five eggs.")
    (tmp_path / "secret.txt").write_text("the secret")
    made = load("terminal_assistant/assistant.py").Assistant(folder, "a.db", "ann", Simulator().client())
    yield made
    made.close()


def test_it_reads_the_folder_and_nothing_else(assistant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Claude lists and reads files by tools; a name that leads out of the folder is refused, and Claude is told."""
    for line in (
        "Please use list_files.",
        'Please use read_file "recipe.md".',
        'Please use read_file "../secret.txt".',
    ):
        assistant.answer(line)
    output = capsys.readouterr().out
    assert "[list_files {}]" in output and "five eggs" in output
    assert "is outside the folder" in output and "the secret" not in output


def test_it_takes_files_and_keeps_notes(assistant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A file named with @ goes along with the question; each reply says what it took."""
    assistant.answer(f"How many eggs does the walnut cake take? @{assistant.folder}/recipe.md")
    assert "five eggs" in capsys.readouterr().out
    assert [block["type"] for block in assistant.chat.history()[0].blocks] == ["document", "text"]
    assert {tool["name"] for tool in assistant.chat.request(1).body["tools"]} >= {"memory", "read_file"}
