"""What every store must do with summaries: one maker at a time, sources and cost kept, the newest of a line found."""

from __future__ import annotations

from typing import Any

import pytest

from recording import Recorder, text
from sash.model.summaries import NewSummary, Summary, SummaryRecord, SummaryTask
from sash.model.usage import Usage


@pytest.fixture
def record(record: Recorder) -> Recorder:
    """A conversation of four exchanges."""
    for words in ("one", "two", "three", "four"):
        record.say(words)
    return record


def begin(record: Recorder, upto: int, at: float = 100.0, **more: Any) -> SummaryTask | None:
    """Take the job, for ten seconds."""
    task: SummaryTask | None = record.store.summaries.begin(record.key, upto=upto, at=at, until=at + 10, **more)
    return task


def keep(record: Recorder, task: SummaryTask | None, **more: Any) -> Summary | None:
    """Record a summary for a task."""
    assert task is not None
    fields: dict[str, Any] = {
        "conversation": record.key,
        "task": task,
        "state": "ready",
        "text": "It went on.",
        "content": '[{"type":"text","text":"It went on."}]',
        "verbatim": (),
        "model": "claude-haiku-5-5",
        "prompt": "1",
        "method": "model",
        "tokens": 5,
        "requests": 1,
        "usage": Usage(fresh=100, output=5),
        "cost": 0.25,
        "report": {"kept": 3},
        "at": 101.0,
    }
    kept: Summary | None = record.store.summaries.keep(NewSummary(**{**fields, **more}))
    return kept


def found(record: Recorder) -> list[SummaryRecord]:
    """All of them."""
    return list(record.store.summaries.read(record.key))


def test_a_job_gives_the_turns_to_cover(record: Recorder) -> None:
    """From the first turn up to the one asked for; later from behind the newest summary on, which is the parent."""
    task = begin(record, 4)
    assert task is not None
    assert [turn.seq for turn in task.turns] == [1, 2, 3, 4]
    first = keep(record, task)
    again = begin(record, 6)
    assert again is not None
    assert again.parent == first
    assert [turn.seq for turn in again.turns] == [5, 6]


def test_two_never_make_the_same_summary(record: Recorder) -> None:
    """While a lease lasts nobody else gets the job; what is covered is not given out again."""
    task = begin(record, 4, at=100.0)
    assert begin(record, 4, at=109.0) is None
    assert keep(record, task) is not None
    assert begin(record, 4, at=200.0) is None


def test_a_lost_lease_keeps_nothing_in_use(record: Recorder) -> None:
    """Who comes after the lease's end takes the job over; the first one's result is recorded as rejected."""
    slow, quick = begin(record, 4, at=100.0), begin(record, 4, at=120.0)
    assert keep(record, slow) is None
    assert keep(record, quick) is not None
    assert [one.state for one in found(record)] == ["rejected", "ready"]


def test_a_failed_job_can_be_taken_again_and_says_when(record: Recorder) -> None:
    """Failures in a row are counted; a summary that is kept ends the count."""
    for failures in (1, 2):
        task = begin(record, 4)
        assert task is not None
        record.store.summaries.fail(record.key, token=task.token, error="Unavailable", retry_at=130.0, upto=4)
        trouble = record.window().trouble
        assert (trouble.failures, trouble.retry_at, trouble.upto) == (failures, 130.0, 4)
    keep(record, begin(record, 4))
    assert record.window().trouble.failures == 0


def test_a_summary_knows_where_it_came_from(record: Recorder) -> None:
    """Sources, parent, model, prompt, usage, cost and report come back as they were kept."""
    keep(record, begin(record, 4))
    keep(record, begin(record, 6), verbatim=(5,))
    first, second = found(record)
    turns = record.turns()
    assert first.sources() == tuple(turn.id for turn in turns[:4])
    assert second.sources() == tuple(turn.id for turn in turns[4:6])
    assert (first.parent, second.parent) == (None, first.id)
    assert (second.model, second.cost, second.usage.output, second.report) == ("claude-haiku-5-5", 0.25, 5, {"kept": 3})
    assert record.window().summary == Summary(
        id=second.id, upto=6, text=second.text, content=second.content, verbatim=(5,)
    )


def test_a_rejected_summary_is_never_shown(record: Recorder) -> None:
    """It is kept to be looked at; the window goes on without it."""
    keep(record, begin(record, 4), state="rejected", report={"reason": "empty"}, retry_at=150.0)
    window = record.window()
    assert window.summary is None
    assert (window.trouble.failures, window.trouble.error) == (1, "empty")


def test_what_was_withdrawn_meanwhile_spoils_the_summary(record: Recorder) -> None:
    """A summary of turns that left the record's line is not used."""
    task = begin(record, 4)
    turns = record.turns()
    head = record.store.branches.head(record.key).seq
    record.store.turns.mend(record.key, head=head, withdraw=(turns[2].id,), reason="repaired", at=0.0)
    assert keep(record, task) is None


def test_another_road_has_no_summary_of_what_it_left(record: Recorder) -> None:
    """A fork behind the summary shares it; a branch from before its end does not, and makes its own."""
    keep(record, begin(record, 4))
    record.store.branches.new(record.key, seq=6, reason="edit")
    assert record.window().summary is not None
    record.store.branches.new(record.key, seq=2, reason="edit")
    assert record.window().summary is None
    record.begin(text("instead"))
    task = begin(record, 3)
    assert task is not None
    assert [turn.seq for turn in task.turns] == [1, 2, 3]


def test_summaries_are_paid_for_and_reported(record: Recorder) -> None:
    """The usage of a conversation holds what its summaries took, the rejected ones too."""
    (before,) = record.store.usage(by=(), conversation="a")
    keep(record, begin(record, 4), state="rejected")
    (after,) = record.store.usage(by=(), conversation="a")
    assert after.dollars - before.dollars == pytest.approx(0.25)
    assert after.output - before.output == 5
