"""Conversations written down and read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.test_anthropic import CONVERSATIONS
from sash.errors import InvalidImport
from sash.formats import LINES, WRITERS, ImportedConversation, ImportedTurn, lost, pages, parse, read
from sash.formats.values import text_block
from sash.model.blocks import dumps

TRICKY = st.sampled_from(
    ["", "\n", "\n\nend\n", "<!-- sash-turn {}", "\\<!-- sash-block x -->", "-->", "</script>", "a\rb", "# A\n- b ```"]
)
TEXTS = st.builds(text_block, st.text(max_size=20) | TRICKY)
SPOKEN = st.builds(
    lambda found, texts: replace(found, turns=(*found.turns, ImportedTurn(role="user", content=texts))),
    CONVERSATIONS,
    st.lists(TEXTS, min_size=1, max_size=4),
)
WHOLE: dict[str, Callable[[ImportedConversation], str]] = {
    "anthropic": WRITERS["claude"],
    "anthropic, a line": WRITERS["jsonl"],
    "markdown": WRITERS["markdown"],
    "html": lambda found: f"<!doctype html>{pages.MARK}{pages.element(found)}",
}


@given(SPOKEN)
def test_what_is_written_comes_back_whole(conversation: ImportedConversation) -> None:
    """Claude's shape, its lines, Markdown and pages hold all, in its order: texts that look like their marks, too."""
    for name, write in WHOLE.items():
        (again,) = parse(write(conversation), name.partition(",")[0])
        assert again == conversation, name
        assert [dumps(turn.content) for turn in again.turns] == [dumps(turn.content) for turn in conversation.turns]


PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
PAPER = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    "title": "a.pdf",
}
CALLS = [{"type": "tool_use", "id": f"c{n}", "name": "mul", "input": {"a": n}} for n in range(2)]
ANSWERS = [{"type": "tool_result", "tool_use_id": f"c{n}", "content": f"{n}"} for n in range(2)]
AGENT = ImportedConversation(
    id="1",
    system="Be kind.",
    tools=({"name": "mul", "description": "Multiply.", "input_schema": {"type": "object"}},),
    turns=(
        ImportedTurn(role="user", content=[text_block("Look."), PICTURE, PAPER]),
        ImportedTurn(role="assistant", content=[text_block("I ask."), text_block("Twice."), *CALLS]),
        ImportedTurn(role="user", content=ANSWERS),
        ImportedTurn(role="assistant", content=[text_block("It is 42.")]),
    ),
)


def test_openais_shape_holds_texts_calls_results_pictures_and_files() -> None:
    """What chat completions have a place for comes back equal; what they have none for is counted."""
    assert parse(WRITERS["openai"](AGENT), "openai") == (AGENT,)
    assert lost(AGENT, "openai") == ()
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    first, *rest = AGENT.turns
    timed = replace(
        AGENT, turns=(replace(first, at=5.0), replace(rest[0], content=[thought, *rest[0].content]), *rest[1:])
    )
    assert parse(WRITERS["openai"](timed), "openai") == (AGENT,)
    assert lost(timed, "openai") == ("1 blocks of the kind thinking", "1 times")


def test_a_markdown_file_may_be_edited() -> None:
    """Words that a person changes between the marks are what is read; a mark that is cut names its line."""
    written = WRITERS["markdown"](AGENT)
    (edited,) = parse(written.replace("It is 42.", "It is\n\nforty-two."), "markdown")
    assert edited.turns[-1].text == "It is\n\nforty-two."
    cut = written[: written.index("<!-- sash-block") + 30]
    with pytest.raises(InvalidImport, match=f"line {cut.count(chr(10)) + 1}: the comment has no end"):
        parse(cut, "markdown")


def test_several_conversations_stand_one_a_line(tmp_path: Path) -> None:
    """JSON Lines of bodies give each conversation, in both shapes."""
    for shape, name in (("jsonl", "anthropic"), ("openai", "openai")):
        path = tmp_path / shape
        path.write_text("".join(f"{LINES[shape](AGENT)}\n" for _ in range(3)))
        assert [found.turns for found in read(path, name)] == [AGENT.turns] * 3
