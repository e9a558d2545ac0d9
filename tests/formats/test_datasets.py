"""LoCoMo, BEAM, tau-bench, SWE-agent and OpenAssistant: small examples of our own, and the real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sash.errors import InvalidImport, InvalidOption
from sash.formats import parse, read

Data = Callable[[str], Path]


def talk(*said: tuple[str, str], qa: list[dict[str, Any]] | None = None, when: str = "1:56 pm on 8 May, 2023") -> str:
    turns = [{"speaker": who, "dia_id": f"D1:{n}", "text": text} for n, (who, text) in enumerate(said, 1)]
    conversation = {"speaker_a": "Ann", "speaker_b": "Bob", "session_1": turns, "session_1_date_time": when}
    return json.dumps(
        [{"sample_id": "s", "conversation": {**conversation, "session_2_date_time": when}, "qa": qa or []}]
    )


def test_locomo_speakers_are_user_and_assistant_and_stay_apart() -> None:
    """The first speaker is the user; two turns of one speaker in a row stay two turns; the session dates them."""
    (conversation,) = parse(talk(("Ann", "Hi."), ("Ann", "You there?"), ("Bob", "Yes.")), "locomo")
    assert [(turn.role, turn.text, turn.id) for turn in conversation.turns] == [
        ("user", "Hi.", "D1:1"),
        ("user", "You there?", "D1:2"),
        ("assistant", "Yes.", "D1:3"),
    ]
    assert {turn.at for turn in conversation.turns} == {datetime(2023, 5, 8, 13, 56, tzinfo=UTC).timestamp()}
    assert conversation.problems == ()


def test_locomo_opened_by_the_second_speaker_is_kept_and_listed() -> None:
    """A history that begins with the assistant is not mended, but said to be illegal."""
    (conversation,) = parse(talk(("Bob", "Hi."), ("Ann", "Hi.")), "locomo")
    assert [problem.turn for problem in conversation.problems] == [0]


@pytest.mark.parametrize(
    ("given", "evidence", "notes"),
    [
        (["D1:1", "D1:2"], ("D1:1", "D1:2"), 0),
        (["D1:1; D1:2", "D1:2"], ("D1:1", "D1:2"), 0),
        (["D:1:2"], ("D1:2",), 0),
        (["D1:1 D1:3"], ("D1:1", "D1:3"), 0),
        (["D"], (), 1),
        (["D4:36", "D1:1"], ("D1:1",), 1),
    ],
)
def test_locomo_evidence_is_mended_or_noted(given: list[str], evidence: tuple[str, ...], notes: int) -> None:
    """Evidence holds only ids of turns; what names none is noted, never dropped in silence."""
    qa = [{"question": "Who?", "answer": 7, "evidence": given, "category": 4}]
    (conversation,) = parse(talk(("Ann", "a"), ("Bob", "b"), ("Ann", "c"), qa=qa), "locomo")
    (question,) = conversation.questions
    assert (question.evidence, len(conversation.notes)) == (evidence, notes)
    assert (question.answer, question.category) == ("7", "single-hop")


def test_locomo_bad_values_are_named() -> None:
    """A stranger who speaks and a time of another form are refused with their field."""
    with pytest.raises(InvalidImport, match=r"conversation\.session_1\[0\]\.speaker"):
        parse(talk(("Eve", "Hi.")), "locomo")
    with pytest.raises(InvalidImport, match="session_1_date_time"):
        parse(talk(("Ann", "Hi."), when="8 May"), "locomo")


def test_oasst_branches_share_their_past() -> None:
    """All branches: one conversation per leaf. Best: the reply of the best rank at each fork."""

    def message(id: str, role: str, rank: int | None = None, *replies: dict[str, Any]) -> dict[str, Any]:
        return {"message_id": id, "role": role, "text": id, "rank": rank, "replies": list(replies)}

    tree = message("p", "prompter", None, message("a", "assistant", 1), message("b", "assistant", 0))
    text = json.dumps({"message_tree_id": "t", "prompt": tree})
    every = parse(text, "oasst", branches="all")
    assert [[turn.id for turn in branch.turns] for branch in every] == [["p", "a"], ["p", "b"]]
    assert [[turn.id for turn in branch.turns] for branch in parse(text, "oasst")] == [["p", "b"]]
    with pytest.raises(InvalidOption, match="branches"):
        parse(text, "oasst", branches="some")


def test_every_locomo_turn_is_read(data: Data) -> None:
    """The real file: five conversations, about 590 turns each, questions with the turns that answer them."""
    conversations = read(data("locomo/locomo_a.json"))
    assert [len(conversation.turns) for conversation in conversations] == [419, 663, 680, 689, 509]
    assert sum(len(conversation.questions) for conversation in conversations) == 1020
    for conversation in conversations:
        ids = {turn.id for turn in conversation.turns}
        assert len(ids) == len(conversation.turns)
        assert all(ids.issuperset(question.evidence) for question in conversation.questions)
        assert [turn.at for turn in conversation.turns] == sorted(turn.at or 0 for turn in conversation.turns)


@pytest.mark.parametrize(("number", "turns"), [(1, 188), (3, 194), (5, 238)])
def test_every_beam_turn_and_question_is_read(data: Data, number: int, turns: int) -> None:
    """The real folders: all messages, twenty questions each, no marker left in a user's text."""
    (conversation,) = read(data(f"beam_100K/{number}"))
    ids = {turn.id for turn in conversation.turns}
    assert (len(conversation.turns), len(ids), len(conversation.questions)) == (turns, turns, 20)
    assert not any("->->" in turn.text for turn in conversation.turns if turn.role == "user")
    assert all(ids.issuperset(question.evidence) for question in conversation.questions)
    assert conversation.problems == ()


def test_every_tau_bench_call_is_paired(data: Data) -> None:
    """The real file: 200 runs, 5,308 messages of which 200 are system prompts, 1,164 calls, nothing illegal."""
    runs = read(data("tau_bench/gpt-4o-airline.json"))
    blocks = [block["type"] for run in runs for turn in run.turns for block in turn.content]
    assert (len(runs), sum(len(run.turns) for run in runs)) == (200, 5308 - 200)
    assert (blocks.count("tool_use"), blocks.count("tool_result")) == (1164, 1164)
    assert [problem for run in runs for problem in run.problems] == []
    assert all(run.system for run in runs)


def test_every_swe_agent_step_is_read(data: Data) -> None:
    """The real files: with function calling every step is a pair, without it plain turns; all legal."""
    found = [read(path)[0] for path in sorted(data("swe_agent").glob("*.traj.json"))]
    assert [len(run.turns) for run in found] == [28, 23, 27]
    assert [len(run.tools_called) > 0 for run in found] == [False, True, True]
    assert [problem for run in found for problem in run.problems] == []


def test_every_oasst_message_is_read(data: Data) -> None:
    """The real file: 100 trees, 1,167 messages, all on some path."""
    path = data("oasst/en_100_tree.jsonl")
    every = read(path, branches="all")
    assert len({turn.id for branch in every for turn in branch.turns}) == 1167
    assert len(read(path)) == 100
    assert [problem for branch in every for problem in branch.problems] == []
