"""`sash worker`, and what `sash doctor` says of workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import sash
from sash.model.jobs import TRIES
from sash.simulator import Simulator
from sash.simulator.faults import Overloaded
from sash.worker import Worker
from summarising import Talker

from .conftest import Run


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A record with the job of one summary."""
    path = tmp_path / "chats.db"
    one = Talker(str(path), background="worker", recall=False, id="mill")
    while not one.chat._store.jobs.state(at=one.sim.clock.now()).kinds:
        one.say()
    one.close()
    return path


def test_once_does_what_there_is(run: Run, left: Path) -> None:
    """Before, the doctor says what waits and what to start; after, what was done. A second time there is nothing."""
    said = " ".join(run("doctor", left, "--simulator").output.split())
    assert f"none is alive, and 1 job to be done: sash worker {left}" in said and "summaries: 1 waiting" in said
    assert "1 job done, 0 failed" in run("worker", left, "--once", "--simulator").output
    assert "0 jobs done, 0 failed" in run("worker", left, "--once", "--simulator").output
    said = run("doctor", left, "--simulator").output
    assert "nothing waits for one" in said and "summaries: 0 waiting, 0 running, 1 done, 0 failed" in said


def test_only_the_kinds_that_were_named_are_done(run: Run, left: Path) -> None:
    """Of the tenant that was named."""
    assert "0 jobs done" in run("worker", left, "--once", "--simulator", "--jobs", "embeddings, retention").output
    assert "0 jobs done" in run("--namespace", "acme", "worker", left, "--once", "--simulator").output
    assert "1 job done" in run("worker", left, "--once", "--simulator", "--jobs", "summaries").output


def test_what_fails_is_named_until_it_is_tried_anew(run: Run, left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its conversation and what the API said; nothing fails of the command itself."""
    sim = Simulator()
    sim.faults.storm(1.0, [Overloaded()])
    with sim.serve() as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        monkeypatch.setenv("SASH_DATABASE", str(left))
        result = run("worker", "--once")
        assert result.exit_code == 0 and "0 jobs done, 1 failed" in result.output
    said = " ".join(run("doctor", left, "--simulator").output.split())
    assert "summaries of 'mill' came to nothing 1 time, Unavailable: overloaded_error; tried again in 30 s" in said
    store = sash.open(left)
    with store.database.writing() as db:  # type: ignore[attr-defined]
        db.execute("UPDATE jobs SET faults = ?", (TRIES,))
    store.close()
    given_up = "Unavailable: overloaded_error; given up (sash worker --anew tries it again)"
    assert given_up in run("doctor", left, "--simulator").output
    output = run("worker", left, "--once", "--simulator").output
    assert "0 jobs done" in output and given_up in output
    output = run("worker", left, "--once", "--anew", "--simulator").output
    assert "1 job to be tried again" in output and "1 job done" in output


def test_who_lives_is_told(run: Run, left: Path) -> None:
    """By host and process."""

    with Worker(left, client="simulator", jobs=["retention"]) as worker, worker._alive():
        assert f"1 alive: {worker.info.name} (retention)" in run("doctor", left, "--simulator").output
        assert worker.info.name.endswith(f":{os.getpid()}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--jobs", "summaries,dreams"], "'dreams': choose among summaries"),
        (["--every", "0"], "every"),
        (["--by", "claude-sonet-5-5"], "claude-sonet-5-5"),
    ],
)
def test_what_cannot_be_is_named(run: Run, left: Path, arguments: list[str], says: str) -> None:
    """With what can."""
    result = run("worker", left, "--once", "--simulator", *arguments)
    assert result.exit_code != 0 and says in result.output


def test_a_record_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    """And a key that is missing is said before anything waits."""
    result = run("worker", tmp_path / "new.db", "--simulator")
    assert result.exit_code == 2 and not (tmp_path / "new.db").exists()
    sash.open(tmp_path / "new.db").close()
    result = run("worker", tmp_path / "new.db")
    assert result.exit_code == 1 and "--simulator" in result.output
