"""What every store must do for backlogs: who rests, batches recorded before they leave, items that are used once."""

from __future__ import annotations

from typing import Any

import pytest

from recording import Recorder, text
from sash.flows.summaries.resting import digest
from sash.model.batches import Batch, WaitingItem
from sash.model.summaries import NewSummary, Resting, Summary, SummaryTask
from sash.model.usage import Usage


@pytest.fixture
def record(record: Recorder) -> Recorder:
    """A conversation of four exchanges."""
    for words in ("one", "two", "three", "four"):
        record.say(words)
    return record


def resting(record: Recorder, namespace: str | None = None, **more: Any) -> list[Resting]:
    """Who rests, with nothing said since long after the fixture's time."""
    return list(record.store.summaries.resting(namespace=namespace, **{"before": 9_000.0, "at": 9_000.0, **more}))


def task_of(record: Recorder, upto: int = 4, at: float = 2_000.0) -> SummaryTask:
    """The job of summarising, taken for ten seconds."""
    task: SummaryTask | None = record.store.summaries.begin(record.key, upto=upto, at=at, until=at + 10)
    assert task is not None
    return task


def batch_of(record: Recorder, task: SummaryTask) -> Batch:
    """A recorded batch of one item."""
    facts = {"upto": task.upto, "ids": [turn.id for turn in task.turns], "digest": digest(task.turns, task.parent)}
    parent = task.parent.id if task.parent else None
    item = WaitingItem(
        custom_id=task.token, conversation=record.key, model="claude-sonnet-5-5", branch=task.branch, parent=parent,
        facts=facts,
    )  # fmt: skip
    row: Batch = record.store.batches.keep(kind="summary", items=(item,), at=2_000.0)
    return row


def keep(record: Recorder, task: SummaryTask, item: str = "") -> Summary | None:
    """Record a summary for a task."""
    kept: Summary | None = record.store.summaries.keep(NewSummary(
            conversation=record.key, task=task, state="ready", text="It went on.", content="[]", verbatim=(),
            model="claude-haiku-5-5", prompt="1", method="model", tokens=5, requests=1,
            usage=Usage(fresh=100, output=5), cost=0.25, at=101.0, item=item,
        ))  # fmt: skip
    return kept


def test_who_rests(record: Recorder) -> None:
    """A conversation rests once nothing was said since the given time; namespaces are asked for one by one, or all."""
    assert [(one.id, one.model, one.covered) for one in resting(record)] == [("a", "claude-sonnet-5-5", 0)]
    assert resting(record, before=1_000.0) == [] and resting(record, namespace="other") == []
    assert len(resting(record, namespace="")) == 1
    record.head_of("empty", "other")
    assert [one.id for one in resting(record, namespace="other")] == ["empty"] or resting(
        record, namespace="other"
    ) == []


def test_who_is_covered_or_at_work(record: Recorder) -> None:
    """What a summary covers is told; while a job or a batch is under way the conversation is left alone."""
    task = task_of(record)
    assert resting(record, at=2_005.0) == []
    assert keep(record, task) is not None
    assert [one.covered for one in resting(record)] == [4]
    second = task_of(record, upto=6)
    row = batch_of(record, second)
    assert resting(record, at=9_000.0) == []
    record.store.batches.mark(row.id, phase="lost")
    assert len(resting(record, at=9_000.0)) == 1


def test_an_item_brings_its_turns_back(record: Recorder) -> None:
    """An item gives back the very task it was made of, parent included, until it is closed."""
    parent = keep(record, task_of(record))
    task = task_of(record, upto=6)
    row = batch_of(record, task)
    assert [item.custom_id for item in record.store.batches.items(row.id)] == [task.token]
    item = record.store.summaries.task(task.token)
    assert item is not None and item.task.turns == task.turns and item.task.upto == task.upto
    assert item.intact and item.task.parent == parent == task.parent and item.conversation == record.key
    record.store.batches.close_item(task.token)
    assert record.store.summaries.task(task.token) is None
    assert record.store.batches.items(row.id) == []


def test_a_result_is_kept_once(record: Recorder) -> None:
    """Keeping an item's summary closes the item in the same transaction: a second time nothing is kept or billed."""
    task = task_of(record)
    batch_of(record, task)
    assert keep(record, task, item=task.token) is not None
    assert keep(record, task, item=task.token) is None
    assert record.store.summaries.task(task.token) is None
    assert sum(row.dollars for row in record.store.usage()) == pytest.approx(4 * 0.5 + 0.25)


def test_a_conversation_that_moved_on(record: Recorder) -> None:
    """A result whose turns were withdrawn, or whose job somebody else took, is recorded as rejected, never used."""
    task = task_of(record)
    batch_of(record, task)
    task_of(record, upto=6, at=3_000.0)
    assert keep(record, task, item=task.token) is None
    assert [one.covered for one in resting(record)] == [0]


def test_turns_after_the_item_do_not_matter(record: Recorder) -> None:
    """The conversation may go on while a batch runs: what the summary covers is what it was made of."""
    task = task_of(record)
    batch_of(record, task)
    record.finish(record.begin(text("five")))
    kept = keep(record, task, item=task.token)
    assert kept is not None and kept.upto == 4


def test_turns_that_changed_are_noticed(record: Recorder) -> None:
    """Where a turn was rewritten (redacted) after the batch was made, the item says that it is not intact."""
    task = task_of(record)
    batch_of(record, task)
    with record.store.database.writing() as db:
        db.update("turns", task.turns[0].id, db.sql.turn_columns({"content": "[]", "text": ""}))
    item = record.store.summaries.task(task.token)
    assert item is not None and not item.intact
