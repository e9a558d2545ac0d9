"""What of a client's list is new: held against the record, however the client spreads, drops or trims it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.model.blocks import dumps
from sash.model.turns import Turn
from sash.serve.gateway.known import UNSETTLED, Contradiction, SaidRecord, Unknown, held_against, rest

CALL = {
    "type": "tool_use", "id": "toolu_1", "caller": {"type": "direct"}, "name": "look", "input": {"b": 1, "a": {}},
}  # fmt: skip
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def record(*turns: tuple[str, Any], state: str = "answered") -> SaidRecord:
    """Turns; the last one in this state."""
    return SaidRecord().grown(turns_of(turns, state))


def turns_of(turns: Sequence[tuple[str, Any]], state: str = "answered") -> list[Turn]:
    return [
        Turn(
            id=100 + at,
            branch=1,
            seq=at + 1,
            role=role,  # type: ignore[arg-type]
            plain=role == "user",
            state=state if at == len(turns) - 1 else "answered",  # type: ignore[arg-type]
            content=dumps([text(said)] if isinstance(said, str) else said),
            at=0.0,
        )
        for at, (role, said) in enumerate(turns)
    ]


def said(*messages: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in messages]


def news(found: Unknown | Contradiction, messages: list[dict[str, Any]]) -> Any:
    assert isinstance(found, Unknown), found
    return [message["content"] for message in rest(messages, found.place)]


TALK = (("user", "one"), ("assistant", [THOUGHT, text("two"), CALL]), ("user", [RESULT]), ("assistant", "three"))


@pytest.mark.parametrize("lists", ["auto", "all"])
@pytest.mark.parametrize("since", [0, 1, 2])
def test_what_follows_the_end_of_the_record_is_new(lists: Any, since: int) -> None:
    """A list that begins anywhere in the record and shares a reply with it is known up to the record's end."""
    messages = said(*TALK[since:], ("user", "four"))
    assert news(held_against(record(*TALK), messages, lists), messages) == ["four"]


def test_the_same_in_another_form_is_the_same() -> None:
    """Thinking left out, other key order, markers, nulls, results as blocks, white space: all of it is known."""
    call = {"input": {"a": {}, "b": 1}, "name": "look", "id": "toolu_1", "type": "tool_use"}
    result = {**RESULT, "content": [text("found")], "is_error": False, "cache_control": {"type": "ephemeral"}}
    messages = said(
        ("user", [text("one ")]), ("assistant", [text("two"), call]), ("user", [result]),
        ("assistant", [{**text("three"), "citations": None}]), ("user", "four"),
    )  # fmt: skip
    assert news(held_against(record(*TALK), messages), messages) == ["four"]


def test_words_alone_are_new() -> None:
    """A list without a reply is what is new, even where it repeats what was said; as a whole list it is behind."""
    messages = said(("user", "one"))
    assert news(held_against(record(*TALK), messages), messages) == ["one"]
    found = held_against(record(*TALK), messages, "all")
    assert isinstance(found, Contradiction) and found.behind and found.turn is None


def test_what_waits_for_its_reply_is_known() -> None:
    """A question that nobody answered is not said twice: neither alone nor behind what went before."""
    asked = record(*TALK, ("user", "four"), state="pending")
    for messages in (said(("user", "four")), said(*TALK, ("user", "four"))):
        assert news(held_against(asked, messages), messages) == []


def test_what_a_list_lacks_of_the_unanswered_end_is_given_up() -> None:
    """A client that says something else in the place of a question nobody answered withdraws that."""
    messages = said(*TALK, ("user", "five"))
    found = held_against(record(*TALK, ("user", "four"), state="pending"), messages)
    assert isinstance(found, Unknown) and found.withdraws
    assert news(found, messages) == ["five"]


@pytest.mark.parametrize("kept", [[("assistant", "thr")], [("assistant", "three and more")], []])
def test_a_reply_cut_short_agrees_with_any_part_of_it(kept: list[Any]) -> None:
    """Clients hold less of an abandoned reply than the record, more, or nothing."""
    messages = said(*TALK[:3], *kept, ("user", "four"))
    assert news(held_against(record(*TALK, state="interrupted"), messages), messages) == ["four"]


@pytest.mark.parametrize(
    ("at", "messages", "turn"),
    [
        (0, said(("user", "other"), ("assistant", "x"), ("user", "y")), None),
        (3, said(*TALK[:3], ("assistant", "otherwise"), ("user", "y")), 101),
        (1, said(TALK[0], ("assistant", "otherwise"), ("user", "y")), None),
    ],
)
def test_what_the_record_says_otherwise_is_named(at: int, messages: list[dict[str, Any]], turn: int | None) -> None:
    """The first message that differs, and the last reply that both share before the question there."""
    found = held_against(record(*TALK), messages)
    assert isinstance(found, Contradiction) and (found.message, found.turn) == (at, turn)
    again = held_against(record(*TALK), [*messages, {"role": "assistant", "content": "z"}])
    assert isinstance(again, Contradiction) and again.question == found.question


SPEECH = st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=3)


@given(st.lists(SPEECH, min_size=2, max_size=7), SPEECH, st.randoms(use_true_random=False))
def test_any_list_is_known_however_its_blocks_are_spread(
    talk: list[list[str]], new: list[str], chance: random.Random
) -> None:
    """Speakers in turn, blocks in any number of messages: the tail is new, the whole of it, and nothing else."""
    talk = talk if len(talk) % 2 == 0 else talk[:-1]
    roles = ("user", "assistant")
    turns = record(*((roles[at % 2], [text(one) for one in blocks]) for at, blocks in enumerate(talk)))
    messages = []
    for at, blocks in enumerate([*talk, new]):
        cut = chance.randint(0, len(blocks))
        parts = filter(None, (blocks[:cut], blocks[cut:]))
        messages += [{"role": roles[at % 2], "content": [text(one) for one in part]} for part in parts]
    found = held_against(turns, messages, "all")
    told = [block["text"] for content in news(found, messages) for block in content]
    assert told == new


@pytest.mark.parametrize("kept", range(0, 13, 3))
def test_a_record_that_grew_is_the_record_read_at_once(kept: int) -> None:
    """However much of it was known before: the same turns, blocks and places; what may still change is not kept."""
    turns = [*turns_of(TALK * 3), *turns_of((("user", "five"), ("user", "six")), "pending")]
    before = SaidRecord().grown(turns[:kept]).settled()
    assert list(before.turns) == turns[: max(0, kept - UNSETTLED)]
    assert before.grown(turns[len(before.turns) :]) == SaidRecord().grown(turns)
    assert not any(turn.state == "pending" for turn in SaidRecord().grown(turns * 9).settled().turns)
