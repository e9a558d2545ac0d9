"""`sash memory`: users, files, versions, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import sash
from sash.cli import main


def write(store: Any, user: str, path: str, text: str) -> None:
    """Give a file a version."""
    store.memory_files.change(lambda folder: folder.write(path, text), user=user, at=0.0)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database in which Ann has two files, one of them changed, and Bob one."""
    path = str(tmp_path / "a.db")
    with_files = {"ann": [("note.md", "one"), ("note.md", "two"), ("deep/er.md", "three")], "bob": [("b.md", "four")]}
    store = sash.open(path)
    for user, files in with_files.items():
        for name, text in files:
            write(store, user, f"/memories/{name}", text)
    store.close()
    return path


def run(*arguments: str, code: int = 0) -> str:
    """What the command says."""
    done = CliRunner().invoke(main, ["memory", *arguments])
    assert done.exit_code == code, done.output
    return str(done.output)


def test_users_and_files_are_listed(database: str) -> None:
    """Without a user, who has files; with one, which."""
    assert json.loads(run(database, "--json")) == [{"user": "ann", "files": 2}, {"user": "bob", "files": 1}]
    assert "ann" in run(database) and "note.md" not in run(database)
    listed = [(file["path"], file["version"]) for file in json.loads(run(database, "--user", "ann", "--json"))]
    assert listed == [("/memories/deep/er.md", 1), ("/memories/note.md", 2)]


def test_a_file_is_shown_with_its_versions(database: str) -> None:
    """The newest version alone, or all of them."""
    assert run(database, "/memories/note.md", "--user", "ann") == "two\n"
    every = run(database, "/memories/note.md", "--user", "ann", "--versions")
    assert every.index("one") < every.index("two") and "version 2" in every


def test_files_are_exported_into_a_new_folder(database: str, tmp_path: Path) -> None:
    """Each file lies at its place; a folder with something in it is left alone."""
    folder = tmp_path / "out"
    assert "2 files" in run(database, "--user", "ann", "--export", str(folder))
    assert (folder / "deep" / "er.md").read_text() == "three"
    assert "not empty" in run(database, "--user", "ann", "--export", str(folder), code=2)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["/memories/note.md"], 2, "--user"),
        (["--export", "out"], 2, "--user"),
        (["--user", ""], 2, "user"),
        (["/etc/passwd", "--user", "ann"], 2, "/memories"),
        (["/memories/no.md", "--user", "ann"], 1, "no memory file"),
    ],
)
def test_what_cannot_be_is_told(database: str, arguments: list[str], code: int, said: str) -> None:
    """A path without a user, a path outside, a file that is not there: one line that says what to do."""
    assert said in run(database, *arguments, code=code)


def test_a_database_without_files_says_so(tmp_path: Path) -> None:
    """Nothing there is said, not shown as an empty table."""
    path: Any = str(tmp_path / "b.db")
    sash.open(path).close()
    assert "no memory files yet" in run(path) and "no memory files yet" in run(path, "--user", "ann")
