"""export and import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from sash import Conversation
from sash.formats import parse
from sash.simulator import Refusal, Simulator

LOCOMO = {
    "sample_id": "talk",
    "conversation": {
        "speaker_a": "Ann",
        "speaker_b": "Bob",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ann", "dia_id": "D1:1", "text": "I bought a red kite."},
            {"speaker": "Bob", "dia_id": "D1:2", "text": "Lovely."},
        ],
        "session_2_date_time": "9:00 am on 10 May, 2023",
        "session_2": [
            {"speaker": "Ann", "dia_id": "D2:1", "text": "It flew away."},
            {"speaker": "Bob", "dia_id": "D2:2", "text": "Oh no."},
        ],
    },
    "qa": [{"question": "What did Ann buy?", "answer": "a red kite", "evidence": ["D1:1"], "category": 4}],
}


@pytest.fixture
def data() -> Callable[[str], Path]:
    """A path below SASH_DATA; the test is skipped where there is none."""
    import os  # noqa: PLC0415

    def find(name: str) -> Path:
        root = os.environ.get("SASH_DATA")
        if not root or not (Path(root) / name).exists():
            pytest.skip(f"SASH_DATA has no {name}")
        return Path(root) / name

    return find


def _export(run: Run, database: Path, id: str) -> str:
    return run("export", database, id).stdout


def test_export_is_what_was_said(run: Run, database: Path) -> None:
    """An export is a request body: system and messages as they are in the record."""
    body = json.loads(_export(run, database, "mill"))
    assert body["system"][0]["text"] == "You are a builder."
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"] * 3
    body.pop("sash")
    asked = {**body, "messages": body["messages"][:-1], "model": "claude-sonnet-5-5", "max_tokens": 100}
    assert Simulator().check(asked) == []


def test_export_and_import_are_inverse(run: Run, database: Path, tmp_path: Path) -> None:
    """What was exported comes back equal from another database: text, times, title, system prompt."""
    text = _export(run, database, "mill")
    file, other = tmp_path / "mill.json", tmp_path / "other.db"
    file.write_text(text)
    assert run("import", other, file).exit_code == 0
    assert parse(_export(run, other, "mill"), "anthropic") == parse(text, "anthropic")


def test_export_leaves_withdrawn_turns_out(run: Run, tmp_path: Path) -> None:
    """A refused turn is not exported, and the command says so."""

    sim = Simulator(thinking=False)
    with Conversation(tmp_path / "a.db", id="x", client=sim.client()) as chat:
        chat.send("Good day.")
        sim.fail_next(Refusal())
        chat.send("Something terrible.")
    result = run("export", tmp_path / "a.db", "x", "-o", tmp_path / "x.json")
    assert "withdrawn turns left out" in result.stderr
    assert "terrible" not in (tmp_path / "x.json").read_text()


def test_import_keeps_times_and_speakers(run: Run, tmp_path: Path) -> None:
    """An import records when things were said and by whom, under the source's id and title."""
    file, database = tmp_path / "talk.json", tmp_path / "a.db"
    file.write_text(json.dumps([LOCOMO]))
    result = run("import", database, file)
    assert "4 turns of 1 conversations recorded (locomo): talk" in result.stderr
    with Conversation(database, id="talk") as chat:
        turns = chat.history()
    assert [turn.speaker for turn in turns] == ["Ann", "Bob", "Ann", "Bob"]
    assert turns[2].at - turns[0].at == pytest.approx(2 * 86_400 - 4 * 3_600 - 56 * 60)
    assert "Ann and Bob" in run("show", database).output


def test_import_of_several_conversations_numbers_them(run: Run, tmp_path: Path) -> None:
    """With --id, several conversations of one file become ID-1, ID-2."""
    file, database = tmp_path / "talk.json", tmp_path / "a.db"
    file.write_text(json.dumps([LOCOMO, LOCOMO]))
    assert run("import", database, file).exit_code == 2  # both are called "talk"
    assert run("import", database, file, "--id", "t").exit_code == 0
    output = run("show", database).output
    assert "t-1" in output
    assert "t-2" in output


def test_import_never_adds_to_a_conversation(run: Run, tmp_path: Path) -> None:
    """An id that has turns already is refused before anything is written."""
    file, database = tmp_path / "talk.json", tmp_path / "a.db"
    file.write_text(json.dumps([LOCOMO]))
    run("import", database, file)
    before = _export(run, database, "talk")
    assert run("import", database, file).exit_code == 2
    assert _export(run, database, "talk") == before


def test_import_names_the_line_of_a_fault(run: Run, tmp_path: Path) -> None:
    """A broken file is one line that names the place, and writes nothing."""
    file, database = tmp_path / "bad.jsonl", tmp_path / "a.db"
    file.write_text('{"role": "user", "content": "hi"}\n{"role": "assis')
    result = run("import", database, file)
    assert result.exit_code == 1
    assert "line 2" in result.stderr
    assert not database.exists()


def test_an_imported_conversation_can_be_gone_on_with(run: Run, tmp_path: Path) -> None:
    """After an import the chat knows what was said, and keeps the imported system prompt and tools."""
    file, database = tmp_path / "body.json", tmp_path / "a.db"
    call = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"place": "Vaubrise"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "17 degrees"}
    messages = [
        {"role": "user", "content": "How warm is it in Vaubrise?"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "It is 17 degrees in Vaubrise."},
    ]
    file.write_text(json.dumps({"system": "You forecast.", "messages": messages}))
    run("import", database, file, "--id", "w")
    output = run("chat", database, "--id", "w", "--simulator", typed="How warm was it in Vaubrise?\n").output
    assert "17 degrees" in output
    body = json.loads(_export(run, database, "w"))
    assert body["system"][0]["text"] == "You forecast."
    assert [tool["name"] for tool in body["tools"]] == ["weather"]


@pytest.mark.parametrize("name", ["locomo/locomo_a.json", "tau_bench/gpt-4o-airline.json", "oasst/en_100_tree.jsonl"])
def test_real_files_come_in(run: Run, data: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    """Recorded data is detected and imported whole."""
    result = run("import", tmp_path / "a.db", data(name))
    assert result.exit_code == 0
    assert "recorded" in result.stderr


def test_an_export_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    """What is written to stdout is UTF-8 and whole, also where the terminal takes only ASCII."""
    with Conversation(tmp_path / "a.db", id="a") as chat:
        chat.extend([{"role": "user", "content": "Crédit Lesque, 5 €, 水"}])
    found = subprocess.run(
        [sys.executable, "-m", "sash.cli", "export", str(tmp_path / "a.db"), "a"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert "Crédit Lesque, 5 €, 水" in found.stdout.decode()
