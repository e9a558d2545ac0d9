"""Anthropic-style JSON, in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidImport
from sash.formats import HistoryProblem, ImportedConversation, ImportedTurn, Question, dump, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FACTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)
BLOCKS = st.builds(lambda kind, rest: {**rest, "type": kind}, st.sampled_from(["text", "image", "thinking"]), FACTS)
MAYBE_TEXT = st.none() | st.text(min_size=1, max_size=8)
TURNS = st.builds(
    ImportedTurn,
    role=st.sampled_from(["user", "assistant", "system"]),
    content=st.lists(BLOCKS, max_size=3),
    at=st.none() | st.floats(0, 4e9, allow_nan=False),
    id=MAYBE_TEXT,
    speaker=MAYBE_TEXT,
    usage=st.none() | FACTS.filter(bool),
    model=MAYBE_TEXT,
    meta=FACTS,
)
QUESTIONS = st.builds(
    Question,
    text=st.text(max_size=8),
    answer=st.none() | st.text(max_size=8),
    evidence=st.lists(st.text(max_size=4), max_size=2).map(tuple),
    category=st.text(max_size=4),
    trap=st.none() | st.text(max_size=4),
    rubric=st.lists(st.text(max_size=4), max_size=2).map(tuple),
)
CONVERSATIONS = st.builds(
    ImportedConversation,
    id=st.text(min_size=1, max_size=8),
    title=MAYBE_TEXT,
    turns=st.lists(TURNS, max_size=4).map(tuple),
    system=st.none() | st.text(min_size=1, max_size=8) | st.lists(BLOCKS, min_size=1, max_size=2),
    tools=st.lists(FACTS, max_size=2).map(tuple),
    questions=st.lists(QUESTIONS, max_size=2).map(tuple),
    notes=st.lists(
        st.builds(HistoryProblem, text=st.text(max_size=5), turn=st.none() | st.integers(0, 9)), max_size=2
    ).map(tuple),
    meta=FACTS,
)


@given(CONVERSATIONS)
def test_dump_then_parse_is_the_identity(conversation: ImportedConversation) -> None:
    """Nothing of a conversation is lost on its way through JSON."""
    assert parse(dump(conversation), "anthropic") == (conversation,)


@given(CONVERSATIONS)
def test_blocks_keep_their_key_order_through_a_dump(conversation: ImportedConversation) -> None:
    """The order of keys inside a block survives, since the prompt cache reads bytes."""
    (again,) = parse(dump(conversation), "anthropic")
    assert json.dumps([turn.content for turn in again.turns]) == json.dumps([t.content for t in conversation.turns])


def test_half_a_surrogate_pair_survives_a_dump_that_can_be_encoded() -> None:
    """Text that UTF-8 cannot carry is written as an escape."""
    turn = ImportedTurn(role="user", content=[{"type": "text", "text": "\ud83d cut"}])
    written = dump(ImportedConversation(id="1", turns=(turn,)))
    assert parse(written.encode().decode(), "anthropic")[0].turns == (turn,)


HELLO: dict[str, Any] = {"role": "user", "content": "hello"}
BODY: dict[str, Any] = {"system": "Be kind.", "tools": [{"name": "look"}], "messages": [HELLO]}


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        (json.dumps([HELLO, HELLO]), [2]),
        (json.dumps(BODY, indent=2), [1]),
        ("\n".join(json.dumps(HELLO) for _ in range(3)), [3]),
        (json.dumps(HELLO), [1]),
        (json.dumps(BODY) + "\n\n" + json.dumps([HELLO, HELLO]) + "\n", [1, 2]),
    ],
)
def test_lists_bodies_and_lines_are_read(text: str, lengths: list[int]) -> None:
    """A list, a body, and lines of messages or of bodies give one conversation each, or one for all messages."""
    assert [len(conversation.turns) for conversation in parse(text, "anthropic")] == lengths


def test_a_body_brings_its_system_prompt_and_tools() -> None:
    """System and tools are taken over as they are; text content becomes one text block."""
    (conversation,) = parse(json.dumps(BODY), "anthropic")
    assert (conversation.system, conversation.tools) == ("Be kind.", ({"name": "look"},))
    assert conversation.turns[0].content == [{"type": "text", "text": "hello"}]


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ('[{"role": "user"}]', None, "[0]"),
        ('[{"role": "robot", "content": "x"}]', None, "[0].role"),
        ('{"messages": [{"role": "user", "content": [{"text": "x"}]}]}', None, "messages[0].content[0]"),
        ('{"role": "user", "content": "x"}\n{"role": "user", "content": 3}', 2, "content"),
        ('{"role": "user",\n "content": NaN}', None, None),
        ("[" * 100_000, None, None),
        ('{\n"messages": [\n', 3, None),
    ],
)
def test_what_is_wrong_is_named_by_line_and_field(text: str, line: int | None, field: str | None) -> None:
    """A bad value is refused with the place where it stands."""
    with pytest.raises(InvalidImport) as caught:
        parse(text, "anthropic", path="chat.json")
    assert (caught.value.path, caught.value.line, caught.value.field) == ("chat.json", line, field)
