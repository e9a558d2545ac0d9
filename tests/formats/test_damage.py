"""Damaged lines of JSON Lines files: each is named, and no whole record is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidImport
from sash.formats import ImportedConversation, parse, read

NULS = "\x00" * 40


def message(text: str, role: str = "user") -> str:
    return json.dumps({"role": role, "content": [{"type": "text", "text": text}]})


def event(number: int, text: str) -> str:
    """A line of a transcript, linked to the one before."""
    role = "assistant" if number % 2 else "user"
    said: dict[str, Any] = {"role": role, "content": [{"type": "text", "text": text}]}
    said |= {"id": f"m{number}", "model": "claude-opus-5-5", "usage": {"input_tokens": 3}} if number % 2 else {}
    parent = f"u{number - 1}" if number else None
    return json.dumps({"type": role, "uuid": f"u{number}", "parentUuid": parent, "sessionId": "s", "message": said})


def texts(found: tuple[ImportedConversation, ...]) -> list[str]:
    return [turn.text for conversation in found for turn in conversation.turns]


def remarks(found: tuple[ImportedConversation, ...]) -> list[str]:
    return [note.text for conversation in found for note in conversation.notes]


@pytest.mark.parametrize(
    ("damaged", "saved", "said"),
    [
        (message("lost")[:-4], [], "nothing of it could be saved"),
        (message("lost")[:30], [], "nothing of it could be saved"),
        (NULS, [], "nothing of it could be saved"),
        ("", [], "line 2 is empty"),
        ("  ", [], "line 2 is empty"),
        (message("lost")[:12] + message("saved"), ["saved"], "the whole record in it was saved"),
        (message("lost")[:-1] + message("saved"), ["saved"], "the whole record in it was saved"),
        (message("saved") + message("too"), ["saved", "too"], "the 2 whole records in it were saved"),
        (NULS + message("saved"), ["saved"], "the whole record in it was saved"),
        (message("lost")[:50] + NULS + message("saved"), ["saved"], "the whole record in it was saved"),
        (message("saved") + message("lost")[:20], ["saved"], "the whole record in it was saved"),
        (r'{"a": "\u00' + message("saved"), ["saved"], "the whole record in it was saved"),
        ('{"a": tr' + message("saved"), ["saved"], "the whole record in it was saved"),
        ('{"a": ' + message("saved"), ["saved"], "the whole record in it was saved"),
        ('{"role": NaN}', [], "nothing of it could be saved"),
        ("[" * 100_000, [], "nothing of it could be saved"),
    ],
)
def test_a_damaged_line_is_named_with_what_was_saved_of_it(damaged: str, saved: list[str], said: str) -> None:
    """Lines before and behind are read as ever; a whole record in a damaged line is saved; one remark says so."""
    found = parse("\n".join([message("one"), damaged, message("two")]), "anthropic")
    assert texts(found) == ["one", *saved, "two"]
    assert len(remarks(found)) == 1
    assert remarks(found)[0].startswith("line 2 is ")
    assert said in remarks(found)[0]


def test_what_stands_inside_a_cut_record_is_no_record() -> None:
    """A line that was cut right behind an inner object gives nothing, however whole that object is."""
    whole = event(2, "lost")
    inner = whole.index("}", whole.index("text")) + 1
    found = parse("\n".join([event(0, "one"), event(1, "two"), whole[:inner]]), "claude_code")
    assert texts(found) == ["one", "two"]
    body = json.dumps({"messages": [{"role": "user", "content": "lost"}]})
    bodies = json.dumps({"messages": [{"role": "user", "content": "kept"}]})
    assert texts(parse(f"{bodies}\n{body[:-2]}", "anthropic")) == ["kept"]


def test_a_line_cut_within_a_character_is_damaged_like_any_other(tmp_path: Path) -> None:
    """Half a character at a cut costs its line alone; text in another encoding is refused, not thinned out."""
    cut = message("é").replace("\\u00e9", "é").encode()
    cut = cut[: cut.index("é".encode()) + 1]
    path = tmp_path / "cut.jsonl"
    path.write_bytes(b"\n".join([message("one").encode(), cut, message("two").encode()]))
    assert texts(read(path)) == ["one", "two"]
    path.write_bytes(message("one").encode() + b'\n{"role": "user", "content": "caf\xe9"}')
    with pytest.raises(InvalidImport, match="UTF-8"):
        read(path)


def test_a_file_with_no_whole_record_is_refused() -> None:
    """Where nothing can be read there is no conversation, and the first line says why."""
    with pytest.raises(InvalidImport, match="cut short") as caught:
        parse(event(0, "one")[:-5] + "\n" + event(1, "two")[:-5], "claude_code")
    assert caught.value.line == 1


@st.composite
def damaged_lines(draw: st.DrawFn) -> tuple[str, list[str], set[int]]:
    """A transcript with damage anywhere: its text, the texts of its whole records, the numbers of damaged lines."""
    lines: list[str] = []
    whole: list[str] = []
    damaged: set[int] = set()
    words = st.text(st.characters(codec="utf-8"), max_size=12)
    for number in range(draw(st.integers(2, 8))):
        text = f"{number}:{draw(words)}"
        record = event(number, text)
        kind = draw(st.sampled_from(["whole", "whole", "cut", "nuls", "empty", "glued", "stub"]))
        cut = record[: draw(st.integers(1, len(record) - 1))]
        if number < 2 or kind not in ("cut",):
            whole.append(text)
        if number < 2 or kind in ("whole", "nuls", "empty"):
            extra = {"nuls": NULS, "empty": ""}.get(kind if number >= 2 else "whole")
            if extra is not None:
                lines.append(extra)
                damaged.add(len(lines))
            lines.append(record)
        elif kind == "cut":
            lines.append(cut)
            damaged.add(len(lines))
        elif kind == "glued":
            lines[-1] += record
            damaged.add(len(lines))
        else:
            lines.append(cut + record)
            damaged.add(len(lines))
    return "\n".join(lines), whole, damaged


@given(damaged_lines())
def test_no_whole_record_is_lost_and_each_damaged_line_is_named(case: tuple[str, list[str], set[int]]) -> None:
    """Whatever is cut, blank or glued together: every whole record is read, once, and each damaged line is named."""
    text, whole, damaged = case
    found = parse(text, "claude_code")
    assert sorted(texts(found)) == sorted(whole)
    named = {int(remark.split()[1]) for remark in remarks(found) if remark.startswith("line ")}
    assert damaged <= named
