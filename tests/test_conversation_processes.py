"""Several processes on one file: whoever is late gets a Conflict, and nothing is lost or doubled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sash
from sash.simulator import Simulator

CHILD = """
import sys, anthropic, sash
path, url, name, many = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
client = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
lost = 0
with sash.Conversation(path, id="a", model="claude-sonnet-5-5", client=client) as chat:
    for number in range(many):
        while True:
            try:
                chat.send(f"{name} {number}")
                break
            except sash.errors.Conflict as conflict:
                lost += 1
                if "answer" in conflict.facts:
                    break  # the question is recorded; only its answer stands beside
print(lost)
"""


@pytest.mark.slow
def test_two_processes_append_to_one_conversation(path: Path, sim: Simulator) -> None:
    """Every question is recorded once, the record is in order, and what follows is legal."""
    with sim.serve() as url:
        arguments = [[sys.executable, "-c", CHILD, str(path), url, name, "4"] for name in ("one", "two")]
        running = [subprocess.Popen(a, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for a in arguments]
        errors = [process.communicate()[1] for process in running]
    assert errors == [b"", b""]
    with sash.Conversation(path, id="a", client=sim.client()) as chat:
        turns = chat.history()
        assert [turn.seq for turn in turns] == list(range(1, len(turns) + 1))
        said = [turn.text for turn in turns if turn.role == "user"]
        assert sorted(said) == sorted(f"{name} {number}" for name in ("one", "two") for number in range(4))
        chat.send("And now?")
        assert all(chat.request(number).intact for number in range(1, 9))
    assert all(attempt.status == 200 for attempt in sim.messages)
