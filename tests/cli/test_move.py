"""export and import."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from cli.conftest import Run, RunPlain
from sash import Conversation, SqliteStore
from sash.formats import parse
from sash.model.values import counted
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
    assert "1 withdrawn turn left out" in result.stderr
    assert "terrible" not in (tmp_path / "x.json").read_text()


def test_import_keeps_times_and_speakers(run: Run, tmp_path: Path) -> None:
    """An import records when things were said and by whom, under the source's id and title."""
    file, database = tmp_path / "talk.json", tmp_path / "a.db"
    file.write_text(json.dumps([LOCOMO]))
    result = run("import", database, file)
    assert "4 turns of 1 conversation recorded (locomo): talk" in result.stderr
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


def _messages(tmp_path: Path, *texts: str) -> Path:
    """A file of messages, user and assistant in turn."""
    roles = ("user", "assistant")
    file = tmp_path / "messages.json"
    file.write_text(json.dumps([{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]))
    return file


def _said(database: Path, id: str) -> list[str]:
    with Conversation(database, id=id, client="simulator") as chat:
        return [turn.text for turn in chat.history()]


def test_import_never_adds_to_a_conversation_of_another_origin(run: Run, database: Path, tmp_path: Path) -> None:
    """An id that has other turns already is refused before anything is written."""
    before = _export(run, database, "mill")
    assert run("import", database, _messages(tmp_path, "Hello"), "--id", "mill").exit_code == 2
    assert _export(run, database, "mill") == before


def test_an_import_done_again_adds_nothing_and_a_longer_file_its_new_turns(run: Run, tmp_path: Path) -> None:
    """What is in the record already is recognised, equal words said twice included, and said in the output."""
    database = tmp_path / "a.db"
    assert "2 turns" in run("import", database, _messages(tmp_path, "go on", "yes"), "--id", "m").stderr
    again = run("import", database, _messages(tmp_path, "go on", "yes"), "--id", "m")
    assert "0 turns of 1 conversation recorded (anthropic): m; 2 were there already" in again.stderr
    grown = run("import", database, _messages(tmp_path, "go on", "yes", "go on", "yes", "stop"), "--id", "m")
    assert "3 turns of 1 conversation recorded (anthropic): m; 2 were there already" in grown.stderr
    assert _said(database, "m") == ["go on", "yes", "go on", "yes", "stop"]


def test_a_turn_that_was_not_whole_when_first_imported_gets_its_rest(run: Run, tmp_path: Path) -> None:
    """Of a turn that grew, what is new is recorded alone: nothing twice, nothing lost."""
    database, file = tmp_path / "a.db", tmp_path / "m.json"
    for blocks in (["one"], ["one", "two"]):
        content = [{"type": "text", "text": text} for text in blocks]
        file.write_text(json.dumps([{"role": "user", "content": "count"}, {"role": "assistant", "content": content}]))
        assert run("import", database, file, "--id", "m").exit_code == 0
    assert _said(database, "m") == ["count", "one", "two"]


def test_a_file_that_lacks_what_was_imported_is_refused(run: Run, tmp_path: Path) -> None:
    """A history that went another way is no longer version of the one in the record."""
    database = tmp_path / "a.db"
    run("import", database, _messages(tmp_path, "one", "two"), "--id", "m")
    other = run("import", database, _messages(tmp_path, "one", "zwei", "drei"), "--id", "m")
    assert other.exit_code == 2
    assert "give the import another --id" in other.stderr
    assert _said(database, "m") == ["one", "two"]


def test_new_turns_stand_behind_what_was_said_here_since(run: Run, tmp_path: Path) -> None:
    """A conversation that went on here takes the new turns behind that, and the command says so."""
    database = tmp_path / "a.db"
    run("import", database, _messages(tmp_path, "one", "two"), "--id", "m")
    with Conversation(database, id="m", client="simulator") as chat:
        chat.send("and here?")
    grown = run("import", database, _messages(tmp_path, "one", "two", "three"), "--id", "m")
    assert "m went on here since" in grown.stderr
    said = _said(database, "m")
    assert [*said[:3], said[-1]] == ["one", "two", "and here?", "three"]


FRENCH = {
    "system": "Always answer in French.",
    "tools": [{"name": "look_up", "input_schema": {"type": "object"}}],
    "messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Bonjour"}],
}


def test_imported_settings_are_in_force_when_the_conversation_is_opened(run: Run, tmp_path: Path) -> None:
    """System prompt and tools of the file are in the next request, though nobody gives them again."""
    database, file = tmp_path / "a.db", tmp_path / "body.json"
    file.write_text(json.dumps(FRENCH))
    run("import", database, file, "--id", "f")
    with Conversation(database, id="f", client="simulator") as chat:
        chat.send("How are you?")
        body = chat.request(1).body
        assert body["system"][0]["text"] == "Always answer in French."
        assert [tool["name"] for tool in body["tools"]] == ["look_up"]
    assert run("delete", database, "f", "--yes").exit_code == 0


def test_settings_given_at_opening_go_before_imported_ones(run: Run, tmp_path: Path) -> None:
    """Who opens an imported conversation with a system prompt gets that one, and the imported tools."""
    database, file = tmp_path / "a.db", tmp_path / "body.json"
    file.write_text(json.dumps(FRENCH))
    run("import", database, file, "--id", "f")
    with Conversation(database, id="f", client="simulator", system="Answer in Dutch.") as chat:
        chat.send("How are you?")
        body = chat.request(1).body
    assert body["system"][0]["text"] == "Answer in Dutch."
    assert [tool["name"] for tool in body["tools"]] == ["look_up"]


def test_what_extend_was_given_is_in_force_when_the_conversation_is_opened(tmp_path: Path) -> None:
    """Settings of a conversation that was only extended are recorded with its turns, and go along with a fork."""
    with Conversation(tmp_path / "a.db", id="x", client="simulator", system="Answer in French.") as chat:
        chat.extend([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Bonjour"}])
        chat.fork(id="y").close()
    for name in ("x", "y"):
        with Conversation(tmp_path / "a.db", id=name, client="simulator") as again:
            again.send("How are you?")
            assert again.request(1).body["system"][0]["text"] == "Answer in French."


def test_import_names_the_line_of_a_fault(run: Run, tmp_path: Path) -> None:
    """A broken file is one line that names the place, and writes nothing; a damaged line among whole ones is named."""
    file, database = tmp_path / "bad.jsonl", tmp_path / "a.db"
    file.write_text('{"role": "user", "content": "hi"}\n{"role": "user", "content": 3}')
    result = run("import", database, file)
    assert result.exit_code == 1
    assert "line 2" in result.stderr
    assert not database.exists()
    file.write_text('{"role": "user", "content": "hi"}\n{"role": "assis')
    result = run("import", database, file)
    assert "1 turn of 1 conversation recorded" in result.stderr
    assert "line 2 is damaged" in result.stderr


def test_an_imported_conversation_can_be_gone_on_with(run: Run, tmp_path: Path) -> None:
    """After an import the chat knows what was said; tools that the file does not define are not made up."""
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
    assert "tools" not in body


@pytest.mark.parametrize("name", ["locomo/locomo_a.json", "tau_bench/gpt-4o-airline.json", "oasst/en_100_tree.jsonl"])
def test_real_files_come_in(run: Run, data: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    """Recorded data is detected and imported whole."""
    result = run("import", tmp_path / "a.db", data(name))
    assert result.exit_code == 0
    assert "recorded" in result.stderr


def test_an_export_is_utf8_whatever_the_locale(run_plain: RunPlain, tmp_path: Path) -> None:
    """What is written to stdout is UTF-8 and whole, also where the terminal takes only ASCII."""
    with Conversation(tmp_path / "a.db", id="a") as chat:
        chat.extend([{"role": "user", "content": "Crédit Lesque, 5 €, 水"}])
    assert "Crédit Lesque, 5 €, 水" in run_plain("export", tmp_path / "a.db", "a").decode()


def _rows(*rows: dict[str, object]) -> str:
    return "\n".join(json.dumps({"sessionId": "s", **row}) for row in rows)


def _row(role: str, uuid: str, parent: str | None, text: str) -> dict[str, object]:
    message = {"role": role, "content": text, **({"id": f"m-{uuid}"} if role == "assistant" else {})}
    return {"type": role, "uuid": uuid, "parentUuid": parent, "message": message}


REWOUND = (
    _row("user", "u1", None, "Where?"),
    _row("assistant", "a1", "u1", "Here."),
    _row("user", "u2", "a1", "Why?"),
    _row("assistant", "a2", "u2", "Because."),
    _row("user", "u3", "a1", "When?"),
)


def test_other_branches_are_named_and_come_in_when_asked_for(run: Run, tmp_path: Path) -> None:
    """A rewound session comes in as the branch it ended on, and the option that the remark names brings the others."""
    file, database = tmp_path / "s.jsonl", tmp_path / "a.db"
    file.write_text(_rows(*REWOUND))
    first = run("import", database, file)
    assert "2 turns on other branches are left out; --branches all" in first.stderr
    assert _said(database, "s") == ["Where?", "Here.", "When?"]
    again = run("import", database, file, "--branches", "all")
    assert "4 turns of 2 conversations recorded (claude_code): s#1, s; 3 were there already" in again.stderr
    assert _said(database, "s#1") == ["Where?", "Here.", "Why?", "Because."]
    assert run("import", database, file, "--format", "anthropic", "--branches", "all").exit_code == 2


CALL = [{"type": "tool_use", "id": "t1", "name": "weather", "input": {}}]
GREETING = {"role": "assistant", "content": "Good day."}
HELLO = {"role": "user", "content": "Hello"}
BRIEF = {"role": "system", "content": "Be brief."}
FAULTS = {
    "greeting": ([GREETING, HELLO], 0),
    "instruction": ([HELLO, GREETING, BRIEF, HELLO], 0),
    "open at the end": ([HELLO, {"role": "assistant", "content": CALL}], 0),
    "ids and results": ([HELLO, {"role": "assistant", "content": CALL}] * 2 + [HELLO], 2),
    "unknown block": ([HELLO, {"role": "assistant", "content": [{"type": "hologram", "data": "1"}]}, HELLO], 1),
}


@pytest.mark.parametrize(("messages", "faults"), FAULTS.values(), ids=FAULTS)
def test_an_import_counts_the_faults_that_check_finds(
    run: Run, tmp_path: Path, messages: list[dict[str, object]], faults: int
) -> None:
    """What was mended on the way in, or is legal in a record, is no fault; after a repair none is left to tell."""
    file, database = tmp_path / "m.json", tmp_path / "a.db"
    file.write_text(json.dumps(messages))
    told = run("import", database, file, "--format", "anthropic", "--id", "m").stderr
    checked = json.loads(run("check", database, "--json").stdout)["m"]
    assert len(checked) == faults
    assert (f"{counted(faults, 'fault')} that sash check --repair mends" in told) == bool(faults)
    assert ("check --repair mends" in told) == bool(faults)
    run("check", database, "--repair")
    assert "check --repair mends" not in run("import", database, file, "--format", "anthropic", "--id", "m").stderr


def test_half_a_character_comes_in_as_a_replacement(run: Run, tmp_path: Path) -> None:
    """A lone surrogate, which no database and no request can hold, is replaced, and said; a whole pair stays."""
    file, database = tmp_path / "s.jsonl", tmp_path / "a.db"
    file.write_text(_rows(_row("user", "u1", None, "cut \ud83d off, whole \U0001f600")))
    result = run("import", database, file)
    assert "1 turn held half of a character" in result.stderr
    assert _said(database, "s") == ["cut \ufffd off, whole \U0001f600"]


def test_tool_names_that_the_api_refuses_are_rewritten_in_calls_and_definitions(run: Run, tmp_path: Path) -> None:
    """Each gets the nearest free name, everywhere the same; the command says so, and the file is still recognised."""
    file, database = tmp_path / "body.json", tmp_path / "a.db"
    names = ("fs.read", "fs_read", "x" * 130)
    calls = [{"type": "tool_use", "id": f"t{n}", "name": name, "input": {}} for n, name in enumerate(names)]
    results = [{"type": "tool_result", "tool_use_id": f"t{n}", "content": "ok"} for n in range(3)]
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": calls}]
    messages += [{"role": "user", "content": results}, {"role": "assistant", "content": "done"}]
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in names]
    file.write_text(json.dumps({"tools": tools, "messages": messages}))
    assert "the tool 'fs.read' is called fs_read_2 here" in run("import", database, file, "--id", "t").stderr
    with Conversation(database, id="t", client="simulator") as chat:
        chat.send("and?")
        body = chat.request(1).body
    wanted = ["fs_read_2", "fs_read", "x" * 120]
    assert [tool["name"] for tool in body["tools"]] == wanted
    assert [block["name"] for block in body["messages"][1]["content"]] == wanted
    assert "0 turns" in run("import", database, file, "--id", "t").stderr


@pytest.mark.parametrize("held", [64 * 2**20, 0])
def test_a_folder_comes_in_whole_and_what_is_none_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """Every recording of a folder is recorded, held in memory or read again, equal ids apart; the rest is named."""
    monkeypatch.setattr("sash.cli.move.HELD", held)
    folder, database = tmp_path / "folder", tmp_path / "a.db"
    (folder / "below").mkdir(parents=True)
    _messages(folder, "one", "two")
    _messages(folder / "below", "three").rename(folder / "below" / "other.json")
    (folder / "talk.json").write_text(json.dumps([LOCOMO]))
    (folder / "notes.json").write_text('{"note": 1}')
    told = run("import", database, folder).stderr
    assert "7 turns of 3 conversations recorded (anthropic, locomo)" in told
    assert "notes.json: not a known conversation format" in told
    assert _said(database, "messages/1") == ["one", "two"]
    assert _said(database, "other/1") == ["three"]
    assert "0 turns of 3 conversations recorded" in run("import", database, folder).stderr
    with closing(SqliteStore(database)) as store:
        facts = store.describe("talk").metadata
    assert (facts["source"], facts["format"]) == ("talk.json", "locomo")


@pytest.mark.parametrize("ending", ["json", "jsonl", "md", "html"])
def test_an_export_of_each_kind_is_imported_again(run: Run, database: Path, tmp_path: Path, ending: str) -> None:
    """The file's name says how it is written, and every word, time and setting comes back from it."""
    file, other = tmp_path / f"mill.{ending}", tmp_path / "other.db"
    run("export", database, "mill", "-o", file)
    assert run("import", other, file).exit_code == 0
    assert _export(run, other, "mill") == _export(run, database, "mill")


def test_all_conversations_are_exported_one_a_line(run: Run, database: Path, tmp_path: Path) -> None:
    """Several go into lines; a format that holds one says so, and what a shape cannot hold is named."""
    file, other = tmp_path / "all.jsonl", tmp_path / "other.db"
    run("import", database, _messages(tmp_path, "one", "two"), "--id", "second")
    run("export", database, "-o", file)
    assert run("import", other, file).exit_code == 0
    again = run("export", other, "--format", "jsonl").stdout
    assert sorted(again.splitlines()) == sorted(file.read_text().splitlines())
    assert "name one, or use --format jsonl" in run("export", database, "--format", "markdown").stderr
    shaped = run("export", database, "mill", "--format", "openai")
    assert json.loads(shaped.stdout)["messages"][0] == {"role": "system", "content": "You are a builder."}
    assert "mill: the format has no place for 6 times" in shaped.stderr


def test_what_imported_sessions_cost_is_told_once_by_day_model_and_project(run: Run, tmp_path: Path) -> None:
    """Usage of replies is booked at their days and prices, marked; branches and a second import add nothing to it."""
    file, database = tmp_path / "s.jsonl", tmp_path / "a.db"
    usage = {"input_tokens": 10, "cache_read_input_tokens": 1_000, "output_tokens": 100}
    rows = [dict(row, cwd="/mill", timestamp="2026-02-11T12:00:00Z") for row in REWOUND]
    for row in rows:
        if row["type"] == "assistant":
            row["message"] = {**cast(dict[str, object], row["message"]), "usage": usage, "model": "claude-opus-4-6"}
    file.write_text(_rows(*rows))
    run("import", database, file)
    run("import", database, file, "--branches", "all")
    told = json.loads(run("usage", database, "--by", "day,model,project,origin", "--json").stdout)
    assert [(row["day"], row["model"], row["project"], row["origin"], row["requests"]) for row in told] == [
        ("2026-02-11", "claude-opus-4-6", "/mill", "imported", 2)
    ]
    assert told[0]["dollars"] == pytest.approx(2 * (10 * 5 + 1_000 * 0.5 + 100 * 25) / 1e6)
    assert "$0.0061" in run("usage", database).stdout
