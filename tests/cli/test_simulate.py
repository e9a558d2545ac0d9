"""`sash simulate`: a Claude on loopback, until it is told to stop."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anthropic
import pytest

from sash.simulator import Simulator

from .conftest import Run

RULES = [{"text": "hello", "reply": "Scripted."}, {"text": "broken", "fault": "overloaded"}]


@contextmanager
def simulating(*options: object) -> Iterator[tuple[subprocess.Popen[str], anthropic.Anthropic]]:
    """The command, running, and the SDK on its address."""
    command = [sys.executable, "-m", "sash", "simulate", "--port", "0", *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        told, how = running.stdout.readline(), running.stdout.readline()
        found = re.search(r"http://\S+", told)
        assert found is not None and f"ANTHROPIC_BASE_URL={found[0]}" in how
        with anthropic.Anthropic(base_url=found[0], api_key="any-key", max_retries=0) as sdk:
            yield running, sdk
        running.kill()


def ask(sdk: anthropic.Anthropic, words: str) -> str:
    """The last text of a reply."""
    sent = sdk.messages.create(model="claude-sonnet-5-5", max_tokens=99, messages=[{"role": "user", "content": words}])
    return str(sent.to_dict()["content"][-1]["text"])  # type: ignore[index]


def test_a_simulated_claude_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """It follows its script, limits and logs without a word of what was said, and says in the end what it all cost."""
    (tmp_path / "s.json").write_text(json.dumps(RULES))
    with simulating("--script", tmp_path / "s.json", "--limits", "build") as (running, sdk):
        assert ask(sdk, "Hello there.") == "Scripted."
        with pytest.raises(anthropic.OverloadedError):
            ask(sdk, "broken")
        answer = sdk.messages.with_raw_response.create(
            model="claude-sonnet-5-5", max_tokens=9, messages=[{"role": "user", "content": "x"}]
        )
        assert answer.headers["anthropic-ratelimit-requests-limit"] == "5000"
        running.send_signal(signal.SIGTERM)
        told, _ = running.communicate(timeout=60)
    lines = told.splitlines()
    assert running.returncode == 0
    assert "3 requests, 1 of them refused" in lines[-1]
    assert "POST /v1/messages 200 claude-sonnet-5-5 in " in lines[0] and "529 Overloaded" in lines[1]
    assert "Hello" not in told and "Scripted" not in told


def test_recording_passes_calls_on(tmp_path: Path) -> None:
    """With --record the API at the other end answers, and the cassette holds its answer and no key."""
    real = Simulator(keys=["any-key"]).serve()
    with real as url, simulating("--record", tmp_path / "c.jsonl", "--upstream", url) as (running, sdk):
        assert ask(sdk, "Hello there.") == "Understood. You said: Hello there."
        running.send_signal(signal.SIGINT)
        told, _ = running.communicate(timeout=60)
    assert "1 answers in" in told
    assert "Hello there." in (kept := (tmp_path / "c.jsonl").read_text()) and "any-key" not in kept


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--record", "a.jsonl", "--limits", "build"), "no effect"),
        (("--replay", "none.jsonl"), "none.jsonl holds no answers"),
        (("--upstream", "http://127.0.0.1:1"), "--record"),
        (("--script", "gone.yaml"), "gone.yaml"),
        (("--limits", "huge"), "huge"),
    ],
)
def test_what_cannot_be_is_named(run: Run, options: tuple[str, ...], named: str) -> None:
    """Options that contradict each other, and files that hold nothing, end in one line and code 2."""
    told = run("simulate", *options)
    assert told.exit_code == 2 and named in told.output


def test_a_port_that_is_taken_is_named(run: Run) -> None:
    """A port in use is refused by its number, with the remedy."""
    with Simulator().serve() as url:
        port = url.rpartition(":")[2]
        told = run("simulate", "--port", port)
    assert told.exit_code == 2 and port in told.output and "another" in told.output
