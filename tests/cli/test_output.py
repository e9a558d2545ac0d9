"""What every command has in common: JSON, narrow terminals, colours, and readers that leave."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import sash
from cli.conftest import Run
from sash import Conversation
from sash.cli import main
from sash.serve.api.schemas import ConversationOut, HitOut, RequestRow, TurnOut
from sash.simulator import Simulator

READING = {
    "show": "show DB mill",
    "search": "search DB slates",
    "usage": "usage DB",
    "summaries": "summaries DB",
    "memory": "memory DB --user ann",
    "profile": "profile DB --user ann",
    "count": "count --db DB --id mill",
    "check": "check DB",
    "doctor": "doctor DB --simulator",
    "replay": "replay DB --id mill",
}
"""Commands that read a database and print tables, or JSON."""
PRINTING = {
    **READING,
    "export": "export DB mill",
    "delete": "delete DB mill --yes",
    "prune": "prune DB --older-than 1y",
    "summarise": "summarise DB --simulator",
    "worker": "worker DB --once --simulator",
    "chat": "chat DB --simulator",
    "resummarise": "resummarise DB mill --simulator",
}
"""All commands that print what a database of the tests gives them to print."""
OTHERS = {"copy", "demo", "import", "row-security", "serve", "simulate"}
"""Commands that need more than a database, print nothing much on stdout, or run on."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the conversation "mill" of Ann, long enough for a summary, what she said of herself, and a memory."""
    path = tmp_path_factory.mktemp("output") / "chats.db"
    client = Simulator(thinking=False).client()
    with Conversation(path, id="mill", user="ann", client=client, budget=1_000, keep=100) as chat:
        chat.send("I'm allergic to walnuts. The roof of the mill needs 2,400 slates. " + "It is a large roof. " * 40)
        chat.send("How many slates does the roof need?")
    resting = ["--keep", "20", "--least", "50", "--idle", "0", "--simulator"]
    assert "1 summary ready" in CliRunner().invoke(main, ["summarise", str(path), *resting]).output
    with sash.open(path) as store:
        store.memory_files.change(lambda folder: folder.write("/memories/house.md", "2,400"), user="ann", at=0.0)
    return path


@pytest.fixture
def told(recorded: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copy(recorded, tmp_path))


def _line(pattern: str, database: Path) -> list[str]:
    return [str(database) if word == "DB" else word for word in pattern.split()]


def test_every_command_is_held() -> None:
    """A new command is added to a table of these tests."""
    assert set(main.commands) == set(PRINTING) | OTHERS


def test_help_is_whole(run: Run) -> None:
    """Each command says in one line what it does, none of them cut off, and each option what it is for."""
    output = run("--help").output
    assert all(command.short_help and command.short_help in output for command in main.commands.values())
    options = [one for command in main.commands.values() for one in command.params if isinstance(one, click.Option)]
    assert [option.name for option in options if not option.help] == []
    assert "141" in output and "SASH_NAMESPACE" in output


@pytest.mark.parametrize("command", READING)
def test_json_is_json(run: Run, told: Path, command: str) -> None:
    """What reads the record prints it as JSON, for programs: all of stdout, and something of this conversation."""
    assert json.loads(run(*_line(READING[command], told), "--json").stdout)


def test_json_has_the_names_of_the_api(run: Run, told: Path) -> None:
    """Conversations, turns, requests and hits have the fields by which `sash serve` gives them."""

    def printed(*arguments: object) -> Any:
        return json.loads(run(*arguments, "--json").stdout)

    one = printed("show", told, "mill")
    assert one["conversation"] == printed("show", told)[0]
    assert set(ConversationOut.model_fields) - {"tags"} <= set(one["conversation"])
    assert set(TurnOut.model_fields) == set(one["turns"][0])
    assert set(RequestRow.model_fields) == set(one["requests"][0]) - {"window"}
    assert set(HitOut.model_fields) <= set(printed("search", told, "slates")[0])
    newest = one["requests"][-1]["window"]
    assert newest["first_seq"] == 1 and newest["strategy"] and newest["reason"]
    assert len(printed("show", told, "mill", "--limit", 1)["turns"]) == 1


def test_json_steers_no_terminal(run: Run, tmp_path: Path) -> None:
    """Control signs of a message are escaped in JSON, too, and come back from it as they were."""
    said = "before \x9b31mred\x9b0m \x1b[1m after"
    with Conversation(tmp_path / "a.db", id="a", client="simulator") as chat:
        chat.extend([{"role": "user", "content": said}])
    output = run("show", tmp_path / "a.db", "a", "--json").stdout
    assert not set(output) & {"\x9b", "\x1b"}
    assert json.loads(output)["turns"][0]["text"] == said


@pytest.mark.parametrize("command", READING)
def test_a_narrow_terminal_shows_values_whole(
    run: Run, told: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 40 columns no table is wider than the terminal, and none is squeezed until words are cut off."""
    for name, value in {"COLUMNS": "40", "TERM": "xterm", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    output = click.unstyle(run(*_line(READING[command], told)).stdout)
    for line in output.splitlines():
        assert len(line) <= 40 or command in ("search", "check", "doctor")
        assert not re.search(r"^[│┃].*…", line)
    values = {"show": "claude-sonnet-5-5", "usage": "claude-sonnet-5-5", "summaries": "$0.", "replay": "Economic"}
    assert values.get(command, "") in output


def test_colours_are_left_out_when_asked(run: Run, told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes every colour away, and leaves the text."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    colour = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[\d;]+)m")
    wanted = (("doctor", told, "--simulator"), ("show", told, "nobody"))
    assert all(colour.search(run(*line).output) for line in wanted)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any(colour.search(run(*line).output) for line in wanted)


@pytest.mark.parametrize("command", [*PRINTING, "--help"])
def test_a_reader_that_left_is_no_error(command: str, told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody reads stdout any longer, a command ends with a shell's code for that, whatever it prints with."""
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello.\n"))
    with io.TextIOWrapper(os.fdopen(writer, "wb")) as stdout, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        assert main(_line(PRINTING.get(command, command), told), standalone_mode=False) == 141


def test_head_sees_no_traceback(told: Path) -> None:
    """`sash show | head` prints nothing on stderr, at the end of the process either."""
    piped = f"{sys.executable} -m sash show {told} mill --full | head -n 1"
    done = subprocess.run(["sh", "-c", piped], capture_output=True, text=True, check=True)
    assert done.stdout and not done.stderr
