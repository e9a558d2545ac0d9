"""Several processes on one file: whoever comes later waits, and nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

import sash
from children import ended, started, talk
from sash.simulator import Simulator


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
