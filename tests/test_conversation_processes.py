"""Several processes on one file: whoever comes later waits, and nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

import sash
from children import ended, note_ready, started, talk
from sash.simulator import Simulator


def test_a_child_begins_where_its_work_begins(tmp_path: Path) -> None:
    """What children need, the server that forks them has loaded: once for all of them."""
    assert ended(started(note_ready, tmp_path / "ready")) == [0]
    assert (tmp_path / "ready").read_text() == "True"


@pytest.mark.slow
def test_two_processes_append_to_one_conversation(path: Path, sim: Simulator) -> None:
    """Every question is recorded once, the record is in order, and what follows is legal."""
    with sim.serve() as url:
        assert ended(*(started(talk, path, url, name, 4) for name in ("one", "two"))) == [0, 0]
    with sash.Conversation(path, id="a", client=sim.client()) as chat:
        turns = chat.history()
        assert [turn.seq for turn in turns] == list(range(1, len(turns) + 1))
        said = [turn.text for turn in turns if turn.role == "user"]
        assert sorted(said) == sorted(f"{name} {number}" for name in ("one", "two") for number in range(4))
        chat.send("And now?")
        assert all(chat.request(number).intact for number in range(1, 9))
    assert all(attempt.status == 200 for attempt in sim.messages)
