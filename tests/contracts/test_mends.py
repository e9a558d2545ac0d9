"""What every store must do with repaired turns."""

from __future__ import annotations

import pytest

from recording import Recorder, text
from sash.errors import Conflict
from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft, Mended


def mend(record: Recorder, *mended: Mended, head: int | None = None, answers: tuple[Draft, ...] = ()) -> None:
    """Repair as the flow does."""
    record.store.turns.mend(
        record.key,
        head=record.head.seq if head is None else head,
        withdraw=(),
        mended=mended,
        answers=answers,
        reason="repaired",
        at=1.0,
    )


def form(turn: int, words: str, *sources: int) -> Mended:
    """Another form of a turn."""
    return Mended(turn=turn, content=dumps([text_block(words)]), plain=True, sources=sources)


def test_a_repaired_turn_keeps_its_content_and_is_sent_in_its_new_form(record: Recorder) -> None:
    """Window and history give both; the next request begins an epoch; requests sent before are rebuilt as they were."""
    record.say("one")
    first = record.turns()[0]
    mend(record, form(first.id, "mended"))
    record.say("two")
    mend(record, form(first.id, "mended again"))
    assert record.turns()[0].content == first.content
    assert record.turns()[0].text == record.window().turns[0].text == "mended again"
    assert record.head.new_epoch_reason == "repaired"
    sent = [record.store.requests.read(record.key, number=number)[2][0].text for number in (1, 2)]
    assert sent == ["one", "mended"]


def test_a_repair_that_has_not_seen_the_newest_turn_is_a_conflict(record: Recorder) -> None:
    """Nothing is written then."""
    record.say("one")
    before = record.turns()
    with pytest.raises(Conflict):
        mend(record, form(before[0].id, "mended"), head=1, answers=(text("answer"),))
    assert record.turns() == before


def test_what_a_repair_says_stands_behind_the_newest_turn(record: Recorder) -> None:
    """As an answered turn."""
    record.say("one")
    mend(record, answers=(text("answer"),))
    assert [turn.text for turn in record.turns()][-1] == "answer"
    assert record.states() == ["answered"] * 3


@pytest.mark.parametrize("asked", [0, 2])
def test_redaction_follows_words_that_a_repair_moved(record: Recorder, asked: int) -> None:
    """Where a turn says the words of another, either's redaction takes both out."""
    record.say("one")
    record.say("two")
    turns = record.turns()
    mend(record, form(turns[0].id, "one and two", turns[2].id))
    record.store.forgetting.redact(record.key, turn=turns[asked].id, reason="asked", at=2.0)
    left = [turn.form + turn.content for turn in record.turns()]
    assert [("one" in said, "two" in said) for said in (left[0], left[2])] == [(False, False)] * 2


def test_ids_of_calls_are_those_recorded_and_those_sent_since_a_repair(record: Recorder) -> None:
    """By their beginning, on the branch that is asked about and what it shares alone."""

    def called(id: str) -> str:
        return dumps([{"type": "tool_use", "id": id, "name": "look", "input": {}}])

    first = record.finish(record.begin(text("one")), reply=Draft(role="assistant", content=called("run:0")))
    record.finish(record.begin(text("two")), reply=Draft(role="assistant", content=called("run_1")))
    assert first is not None
    mend(record, Mended(turn=first.id, content=called("run_0_2"), plain=False))
    old = record.head.branch
    fork = record.branch(seq=2)
    record.finish(record.begin(text("three")), reply=Draft(role="assistant", content=called("run_3")))
    ask = record.store.turns.call_ids
    assert ask(old, beginnings=["run_"]) == {"run_0_2", "run_1"}
    assert ask(fork.branch, beginnings=["run_"]) == {"run_0_2", "run_3"}
    assert ask(fork.branch, beginnings=["run_3", "x"]) == {"run_3"}
