"""Finding a file's format, and reading bad files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from formats.samples import SAMPLES
from sash import SqliteStore, lab
from sash.errors import InvalidImport, InvalidOption
from sash.formats import FORMATS, WRITERS, ImportedConversation, ImportedTurn, detect, pages, parse, read
from sash.formats.values import text_block

TALK = ImportedConversation(id="t", turns=(ImportedTurn(role="user", content=[text_block("hi")]),))
EXAMPLES = {
    "claude_code": '{"type": "user", "uuid": "u", "sessionId": "s", "message": {"role": "user", "content": "hi"}}',
    "locomo": '[{"conversation": {"speaker_a": "A", "speaker_b": "B"}, "qa": []}]',
    "beam": '[{"batch_number": 1, "turns": [[{"role": "user", "id": 0, "content": "hi"}]]}]',
    "tau_bench": '[{"task_id": 0, "traj": [{"role": "user", "content": "hi"}]}]',
    "swe_agent": '{"trajectory": [1], "history": [{"role": "user", "content": "hi"}]}',
    "oasst": '{"message_tree_id": "t", "prompt": {"message_id": "m", "role": "prompter", "text": "hi"}}',
    "openai": '[{"role": "user", "content": "hi"}, {"role": "tool", "tool_call_id": "a", "content": "x"}]',
    "markdown": WRITERS["markdown"](TALK),
    "html": f"<!doctype html>{pages.MARK}<p>Hello</p>{pages.element(TALK)}",
    "anthropic": '{"role": "user", "content": "hi"}\n{"role": "assistant", "content": "hello"}',
}


def test_every_format_has_an_example_here() -> None:
    """A new format brings its example to this file, or to the samples of what other programs keep."""
    assert EXAMPLES.keys() | {name.partition(",")[0] for name in SAMPLES} == FORMATS.keys()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_format_is_found_by_content_and_read(name: str, tmp_path: Path) -> None:
    """The file's name plays no part in telling its format, and what is detected can be read."""
    path = tmp_path / "chat.bin"
    path.write_text(EXAMPLES[name], encoding="utf-8-sig")
    assert detect(path) == name
    assert read(path) == parse(EXAMPLES[name], name, path=str(path))


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", None, "empty"),
        (b" \n\n", None, "empty"),
        (b'{"role": "user", "content": "hi"}\n{"role": "user", "content": "caf\xe9"}', 2, "UTF-8"),
        ('{"role": "user"}'.encode("utf-16"), 1, "UTF-8"),
        (b'{"hello": 1}', None, "not a known"),
        (b"hello", 1, "no JSON"),
        (b"[]", None, "not a known"),
        (b"[1, 2]", None, "not a known"),
        (b"3", None, "not a known"),
        (b"[[[]]]", None, "not a known"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(
    data: bytes, line: int | None, words: str, tmp_path: Path
) -> None:
    """Empty, cut, foreign and wrongly encoded files are refused with path, line and reason."""
    path = tmp_path / "chat.json"
    path.write_bytes(data)
    with pytest.raises(InvalidImport, match=words) as caught:
        read(path)
    assert (caught.value.path, caught.value.line) == (str(path), line)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize(
    "text", ["{}", "[]", "[1]", "3", "null", '{"messages": 3}', '[{"role": "user"}]', '[{"traj": 1}]']
)
def test_foreign_json_is_refused_or_empty_never_a_crash(name: str, text: str) -> None:
    """JSON of another shape raises InvalidImport, or gives conversations whose problems say what is missing."""
    try:
        found = parse(text, name)
    except InvalidImport:
        return
    assert all(conversation.problems for conversation in found)


def test_a_missing_file_is_an_invalid_import(tmp_path: Path) -> None:
    """A path that leads nowhere is refused as such."""
    with pytest.raises(InvalidImport, match="No such file"):
        read(tmp_path / "nowhere.json")


@pytest.mark.parametrize("paths", [None, 3, [], [None], b"chats.json", "", ["chats.json", ""]], ids=repr)
def test_what_names_no_file_is_refused(paths: Any) -> None:
    """Paths that name nothing are an error of ours that says what to give, wherever recordings are read."""
    with pytest.raises(InvalidOption, match=r"paths=.*name a file, a folder or a glob"):
        lab.read(paths)


def test_paths_may_come_one_by_one(tmp_path: Path) -> None:
    """A generator of paths is read to its end, and where nothing can be read the error names them."""
    (tmp_path / "old.json").write_text('[{"role": "user", "content": "Hello"}]')
    assert len(lab.read(path for path in [tmp_path / "old.json"])) == 1
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.txt").write_text("a note")
    with pytest.raises(InvalidImport, match=r"photos: nothing that can be read"):
        lab.read(path for path in [tmp_path / "photos"])


def test_unknown_formats_and_options_are_refused() -> None:
    """A misspelt format or option is never ignored."""
    with pytest.raises(InvalidOption, match="locomo"):
        parse("[]", "lokomo")
    with pytest.raises(InvalidOption, match="branches"):
        parse("[]", "locomo", branches="all")


def test_a_line_separator_inside_text_does_not_end_the_line() -> None:
    """JSON lines end at a newline alone, not at U+2028 or U+0085."""
    line = '{"role": "user", "content": "a\u2028b\u0085c"}'
    (conversation,) = parse(f"{line}\n{line}", "anthropic")
    assert [turn.text for turn in conversation.turns] == ["a\u2028b\u0085c"] * 2


def test_every_shared_file_is_detected(data: Callable[[str], Path]) -> None:
    """The format of each real file is told by its content."""
    folders = {"locomo": "locomo", "tau_bench": "tau_bench", "swe_agent": "swe_agent", "oasst": "oasst"}
    folders["transcripts"] = "claude_code"
    for folder, name in folders.items():
        for path in data(folder).glob("*.json*"):
            assert detect(path) == name
    assert detect(data("beam_100K/1")) == "beam"


def test_an_unknown_file_is_named_as_what_it_is(tmp_path: Path) -> None:
    """The error tells what was found: the kind of value and its keys."""
    path = tmp_path / "chat.json"
    path.write_text('[{"mapping": {}, "current_node": "a"}, 3]')
    with pytest.raises(
        InvalidImport, match="a list of 2 whose first is an object with the keys 'mapping', 'current_node'"
    ):
        detect(path)


def test_a_database_is_no_transcript(tmp_path: Path) -> None:
    """A SQLite file is named as such, with its tables; one of sash's own as that; a broken one is no crash."""
    other, own, broken = tmp_path / "other.db", tmp_path / "own.db", tmp_path / "broken.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE responses (id)")
    SqliteStore(own).close()
    broken.write_bytes(b"SQLite format 3\x00" + b"\xff" * 200)
    for path, words in (
        (other, "another program .tables: responses"),
        (own, "sash itself"),
        (broken, "cannot be read"),
    ):
        with pytest.raises(InvalidImport, match=words):
            read(path)
