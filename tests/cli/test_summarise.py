"""`sash summarise`: conversations at rest, in batches or at once, over a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sash import Conversation
from sash.simulator import BatchRules, Simulator

from .conftest import Run

SMALL = ("--tokens", 800, "--keep", 300, "--least", 200, "--idle", 1)


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulator that the command line talks to."""
    made = Simulator(batch_rules=BatchRules(begins_after=30))
    with made.serve() as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        yield made


@pytest.fixture
def resting(tmp_path: Path) -> Path:
    """A conversation of an hour ago."""
    path = tmp_path / "rest.db"
    with Conversation(path, id="mill", client=Simulator().client(), clock=lambda: time.time() - 3_600) as chat:
        for number in range(10):
            chat.send(f"Beam {number} is {number * 3 + 7} feet long. " + "The mason came in and went out again. " * 10)
    return path


def test_without_a_key_the_simulator_is_named(run: Run, resting: Path) -> None:
    """Whatever asks Claude says which option does without; with it, what rests is summarised."""
    for command in (["summarise", resting], ["resummarise", resting, "mill"], ["doctor", resting]):
        result = run(*command)
        assert result.exit_code == 1 and "--simulator" in result.output and "client=" not in result.output
    assert "1 summary ready" in run("summarise", resting, *SMALL, "--simulator").output
    assert run("summarise", resting, *SMALL, "--simulator", "--batch").exit_code == 2


def test_batches(run: Run, sim: Simulator, resting: Path) -> None:
    """The first call hands in, a later one collects; each says what it did, in words or as JSON."""
    first = run("summarise", resting, "--batch", *SMALL)
    assert first.exit_code == 0 and "1 conversation handed in, 1 waiting" in first.stdout
    sim.clock.advance(30)
    second = json.loads(run("summarise", resting, "--batch", "--json", *SMALL).stdout)
    assert (second["ready"], second["waiting"], second["submitted"]) == (1, 0, 0)
    assert second["dollars"] == pytest.approx(sim.cost)


def test_waiting(run: Run, sim: Simulator, resting: Path) -> None:
    """With --wait the command ends when everything has come."""
    sim._batches.rules = BatchRules(begins_after=0)
    found = json.loads(run("summarise", resting, "--batch", "--wait", "--json", *SMALL).stdout)
    assert (found["ready"], found["waiting"], found["submitted"]) == (1, 0, 1)


def test_at_once(run: Run, sim: Simulator, resting: Path) -> None:
    """Without --batch the summary is made now, at the full price."""
    assert "1 summary ready, 0 rejected, 0 failed" in run("summarise", resting, *SMALL).stdout
    assert sim.messages and not [attempt for attempt in sim.log if "batches" in attempt.path]


def test_nothing_rests(run: Run, sim: Simulator, resting: Path) -> None:
    """Where nobody rests nothing is asked, and the line says so."""
    assert "0 conversations handed in" in run("summarise", resting, "--batch", "--idle", 600).stdout
    assert not [attempt for attempt in sim.log if attempt.method == "POST"]


def test_wrong_settings(run: Run, sim: Simulator, resting: Path) -> None:
    """Settings that make no sense are one red line and exit code 2."""
    assert not sim.log
    assert run("summarise", resting, "--tokens", 1).exit_code == 2
    assert run("summarise", resting, "--by", "claude-hiaku-5-5").exit_code == 1
