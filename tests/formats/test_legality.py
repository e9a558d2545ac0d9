"""The faults of a history, rule by rule."""

from __future__ import annotations

import pytest

from sash.formats.legality import Message, faults

TEXT = {"type": "text", "text": "hello"}
CALL = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "seen"}


@pytest.mark.parametrize(
    "messages",
    [
        [("user", [TEXT])],
        [("user", [TEXT]), ("assistant", [TEXT]), ("assistant", [TEXT]), ("user", [TEXT]), ("user", [TEXT])],
        [("user", [TEXT]), ("assistant", [TEXT, CALL]), ("user", [RESULT]), ("user", [TEXT])],
        [("user", [TEXT]), ("system", [TEXT]), ("assistant", [TEXT])],
        [("assistant", [{"type": "compaction", "content": "so far"}]), ("user", [TEXT])],
    ],
)
def test_a_legal_history_has_no_fault(messages: list[Message]) -> None:
    """What the API accepts is not complained of: merged roles, results then text, a system message in place."""
    assert faults(messages) == ()


@pytest.mark.parametrize(
    ("messages", "turn", "words"),
    [
        ([], None, "no turn"),
        ([("assistant", [TEXT])], 0, "first turn"),
        ([("user", [])], 0, "no content"),
        ([("user", [{"type": "text", "text": " \n"}])], 0, "no content"),
        ([("user", [TEXT]), ("assistant", [{"type": "text", "text": ""}, CALL]), ("user", [RESULT])], 1, "empty"),
        ([("user", [TEXT]), ("assistant", [CALL])], 1, "no result"),
        ([("user", [TEXT]), ("assistant", [CALL]), ("user", [TEXT])], 1, "no result"),
        ([("user", [RESULT])], 0, "answers no call"),
        ([("user", [TEXT]), ("assistant", [CALL]), ("user", [TEXT, RESULT])], 2, "before a tool result"),
        ([("system", [TEXT]), ("user", [TEXT])], 0, "first turn"),
        ([("user", [TEXT]), ("assistant", [TEXT]), ("system", [TEXT])], 2, "system message"),
        ([("user", [TEXT]), ("system", [TEXT]), ("user", [TEXT])], 1, "system message"),
    ],
)
def test_each_broken_rule_is_one_fault_at_its_turn(messages: list[Message], turn: int | None, words: str) -> None:
    """A history that breaks one rule has exactly one fault, which names the rule and the turn."""
    (fault,) = faults(messages)
    assert (fault.turn, words in fault.text) == (turn, True)


def test_a_call_id_used_twice_is_a_fault_of_the_second_use() -> None:
    """Tool call ids are unique in a history."""
    pair: list[Message] = [("assistant", [CALL]), ("user", [RESULT])]
    (fault,) = faults([("user", [TEXT]), *pair, *pair])
    assert (fault.turn, fault.id) == (3, "a")
