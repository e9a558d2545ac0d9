"""Files that older versions wrote (`tests/files`, by `scripts/old_files.py`) are opened, rebuilt and gone on with."""

from __future__ import annotations

import gzip
import json
import runpy
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import sash
from sash import Conversation
from sash.planning.history.check import is_note
from sash.simulator import Simulator
from sash.stores.database import SCHEMA

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests" / "files").glob("schema-*.db.gz"))
held = runpy.run_path(str(ROOT / "scripts" / "old_files.py"))["held"]


def test_the_present_schema_has_a_file() -> None:
    """A migration comes with a file as it is written from then on: python scripts/old_files.py, and commit both."""
    assert (ROOT / "tests" / "files" / f"schema-{SCHEMA:03}.db.gz") in FILES


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name.partition(".")[0])
def test_a_file_of_an_older_version_is_read_as_it_was_written(file: Path, tmp_path: Path) -> None:
    """Every turn stands there as it did, every request is rebuilt to the bytes that were sent, and each conversation
    goes on."""
    path = tmp_path / "chats.db"
    path.write_bytes(gzip.decompress(file.read_bytes()))
    told = json.loads(file.with_suffix("").with_suffix(".json").read_text(encoding="utf-8"))
    sim = Simulator()
    for name, was in told.items():
        with Conversation(path, id=name, client=sim.client(), create=False, budget=1_500, keep=300) as chat:
            assert held(chat) == was
            assert all(is_note(problem) for problem in chat.check())
            assert chat.send("And what was said first?").text
            bodies, before = held(chat)["bodies"], was["bodies"]
            assert bodies[: len(before)] == before and None not in bodies[len(before) :]
    with sash.open(path) as store:
        assert store.search("4711")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
