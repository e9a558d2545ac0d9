"""What every store must do so that each job is done by one worker at a time, and none is lost."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording import Recorder
from sash import MemoryStore
from sash.model.batches import WaitingItem
from sash.model.jobs import KINDS, TRIES, Job, JobKind, LeftJob
from sash.model.workers import WorkerInfo
from sash.stores import jobs
from sash.stores.processes import owner

SUMMARY = LeftJob(kind="summaries", maker="claude-haiku-5-5", terms={"upto": 4})


def worker(*kinds: JobKind) -> WorkerInfo:
    """A new one of this process."""
    mine: dict[str, Any] = owner()
    return WorkerInfo(token=uuid.uuid4().hex, kinds=kinds or KINDS, began=0.0, **mine)


def alive(store: Any, *kinds: JobKind) -> WorkerInfo:
    """One that has said so."""
    made = worker(*kinds)
    store.jobs.renew(made)
    return made


def lose(store: Any, worker: WorkerInfo) -> None:
    """It has not said for too long that it lives, as seen by others."""
    with store.database.writing() as db:
        db.execute("UPDATE workers SET until = 0 WHERE token = ?", (worker.token,))


def test_a_job_is_taken_by_one_and_what_is_done_is_gone(record: Recorder) -> None:
    """It comes with all that its maker must know."""
    store, one, two = record.store, alive(record.store), alive(record.store)
    assert store.jobs.take(one, at=0.0) is None
    store.jobs.leave(record.key, [SUMMARY], at=5.0)
    job = store.jobs.take(one, at=5.0)
    assert (job.kind, job.maker, job.terms, job.subject, job.conversation) == (
        *("summaries", "claude-haiku-5-5", {"upto": 4}),
        *(record.key, "a"),
    )
    assert store.jobs.take(two, at=9.0) is None
    store.jobs.finish(job, one)
    assert store.jobs.take(two, at=9.0) is None
    (kind,) = store.jobs.state(at=9.0).kinds
    assert (kind.done, kind.failed, kind.waiting, kind.running) == (1, 0, 0, 0)


def test_the_one_that_has_waited_longest_comes_first(store: Any) -> None:
    """Each kind to those who do it; of one tenant where that is asked."""
    for at, (name, namespace) in ((9.0, ("a", "")), (8.0, ("b", "acme")), (7.0, ("c", ""))):
        store.jobs.leave(Recorder(store, name, namespace).key, [SUMMARY], at=at)
    store.jobs.leave(Recorder(store, "d").key, [LeftJob(kind="profiles", maker="x")], at=1.0)
    one, two, three = (alive(store, "summaries") for _ in range(3))
    assert store.jobs.take(one, at=9.0, namespace="acme").conversation == "b"
    assert store.jobs.take(two, at=9.0).conversation == "c"
    assert store.jobs.take(three, at=9.0).conversation == "a"
    assert store.jobs.take(alive(store, "summaries"), at=9.0) is None


def test_who_asks_for_another_job_has_lost_the_one_before(record: Recorder) -> None:
    """Nobody does two at a time: what could not be given back is not held for as long as its worker lives."""
    store, one = record.store, alive(record.store)
    store.jobs.leave(record.key, [SUMMARY], at=1.0)
    assert store.jobs.take(one, at=1.0) == store.jobs.take(one, at=1.0)


def test_what_is_left_again_is_one_job_on_newer_terms(record: Recorder) -> None:
    """Left while it is being done, it is done again."""
    store, one = record.store, alive(record.store)
    store.jobs.leave(record.key, [SUMMARY], at=1.0)
    store.jobs.leave(record.key, [LeftJob(kind="summaries", maker="x", terms={"upto": 8})], at=2.0)
    job = store.jobs.take(one, at=2.0)
    assert (job.maker, job.terms) == ("x", {"upto": 8})
    store.jobs.leave(record.key, [LeftJob(kind="summaries", maker="x", terms={"upto": 12})], at=3.0)
    store.jobs.finish(job, one)
    assert store.jobs.take(one, at=3.0).terms == {"upto": 12}


def test_a_job_outlives_its_worker(record: Recorder) -> None:
    """Whoever died has lost it; should it still come, that changes nothing."""
    store, one, two = record.store, alive(record.store), alive(record.store)
    store.jobs.leave(record.key, [SUMMARY], at=1.0)
    lost = store.jobs.take(one, at=1.0)
    lose(store, one)
    job = store.jobs.take(two, at=1.0)
    assert job is not None and job.id == lost.id
    store.jobs.finish(lost, one)
    store.jobs.fail(lost, one, error="x", retry_at=9.0, fault=True)
    assert [found.token for found in store.jobs.state(at=1.0).workers] == [two.token]
    store.jobs.finish(job, two)
    assert store.jobs.take(two, at=99.0) is None


def test_a_job_that_workers_die_of_is_given_up(record: Recorder) -> None:
    """After some tries; the record says so, and doing it anew is for people to ask."""
    store = record.store
    store.jobs.leave(record.key, [SUMMARY], at=1.0)
    for _ in range(TRIES):
        one = alive(store)
        assert store.jobs.take(one, at=1.0) is not None
        lose(store, one)
    last = alive(store)
    assert store.jobs.take(last, at=1.0) is None
    (failing,) = store.jobs.state(at=1.0).failing
    assert failing.given_up and failing.error == jobs.DIED and failing.conversation == "a"
    assert store.jobs.revive() == 1
    assert store.jobs.take(last, at=1.0) is not None


@pytest.mark.parametrize("fault", [True, False])
def test_what_fails_waits_and_holds_up_nobody(fault: bool, record: Recorder) -> None:
    """What fails for its own sake is given up until it is left anew, what the world is to blame for never is."""
    store, one, now = record.store, alive(record.store), 2.0
    store.jobs.leave(record.key, [SUMMARY], at=1.0)
    store.jobs.leave(record.head_of("b").conversation, [SUMMARY], at=2.0)
    for failures in range(TRIES):
        job = store.jobs.take(one, at=now)
        assert job.conversation == "a" and job.failures == failures
        store.jobs.fail(job, one, error="Unavailable", retry_at=now + 30.0, fault=fault)
        store.jobs.finish(store.jobs.take(one, at=now), one, again=now)  # the other one
        now += 30.0
    (failing,) = store.jobs.state(at=now).failing
    assert (failing.failures, failing.error, failing.given_up) == (TRIES, "Unavailable", fault)
    assert store.jobs.take(one, at=now).conversation == ("b" if fault else "a")
    store.jobs.leave(record.key, [SUMMARY], at=now)
    assert store.jobs.take(one, at=now).conversation == "a"


def test_batches_and_rules_are_jobs_by_themselves(record: Recorder) -> None:
    """Nobody leaves them, so nobody can forget to; what is to be looked at again is, from its time on."""
    store, one = record.store, alive(record.store, "batches", "retention")
    item = WaitingItem(custom_id="x", conversation=record.key, model="m", facts={})
    batch = store.batches.keep(kind="question", items=[item], at=3.0, job="j")
    store.retain("acme", days=9)
    first = store.jobs.take(one, at=5.0)
    assert (first.kind, first.subject) == ("batches", batch.id)
    store.jobs.finish(first, one, again=65.0, worked=False)
    second = store.jobs.take(one, at=5.0)
    assert (second.kind, second.namespace) == ("retention", "acme")
    store.jobs.finish(second, one, again=99.0)
    assert store.jobs.take(one, at=64.0) is None
    assert store.jobs.take(one, at=65.0).kind == "batches"
    done = {kind.kind: (kind.done, kind.waiting) for kind in store.jobs.state(at=64.0).kinds}
    assert done == {"batches": (0, 0), "retention": (1, 0)}


def test_vectors_are_made_by_those_who_have_their_embedder(record: Recorder) -> None:
    """Others leave them alone: another embedder's vectors would be thrown away."""
    store, one = record.store, alive(record.store)
    store.jobs.leave(record.key, [LeftJob(kind="embeddings", maker="mine")], at=1.0)
    assert store.jobs.take(one, at=1.0, embedders=[""]) is None
    assert store.jobs.take(one, at=1.0, embedders=["", "mine"]).kind == "embeddings"


def test_what_is_deleted_leaves_no_job(record: Recorder) -> None:
    """And whoever has it already changes nothing."""
    store, one = record.store, alive(record.store)
    store.jobs.leave(record.key, [SUMMARY], at=1.0)
    job = store.jobs.take(one, at=1.0)
    store.delete("a")
    store.jobs.leave(record.key, [SUMMARY], at=1.0)
    store.jobs.fail(job, one, error="NotFound", retry_at=0.0, fault=True)
    assert store.jobs.take(one, at=9.0) is None and store.jobs.state(at=9.0).failing == ()


STEPS = st.lists(
    st.tuples(st.sampled_from(["leave", "take", "finish", "fail", "die"]), st.integers(0, 2), st.integers(0, 2)),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_nobody_shares_a_job_and_none_is_lost(steps: list[tuple[str, int, int]]) -> None:
    """However workers take, finish, fail and die: what was left and not done since is there to be taken."""
    store = MemoryStore()
    keys = [Recorder(store, name).key for name in "abc"]
    workers = [alive(store) for _ in range(3)]
    held: dict[int, Job] = {}
    owed: set[int] = set()
    for step, who, which in steps:
        if step == "leave":
            store.jobs.leave(keys[which], [SUMMARY], at=0.0)
            owed.add(keys[which])
        elif step == "take" and who not in held:
            job = store.jobs.take(workers[who], at=0.0)
            assert job is None or job.subject not in {other.subject for other in held.values()}
            held |= {} if job is None else {who: job}
        elif step == "die":
            lose(store, workers[who])
            workers[who] = alive(store)
            held.pop(who, None)
        elif who in held and (job := held.pop(who)):
            if step == "finish":
                store.jobs.finish(job, workers[who])
                owed.discard(job.subject) if job.wished == _wished(store, job) else None
            else:
                store.jobs.fail(job, workers[who], error="x", retry_at=0.0, fault=False)
    store.jobs.revive()
    for one in workers:
        lose(store, one)
    last, found = alive(store), set()
    while (job := store.jobs.take(last, at=0.0)) is not None:
        found.add(job.subject)
        store.jobs.finish(job, last)
        store.jobs.revive()
    assert found == owed
    store.close()


def _wished(store: Any, job: Job) -> int:
    """How often it was left, as far as it is still there; else as often as whoever did it knew."""
    with store.database.reading() as db:
        row = db.one("SELECT wished FROM jobs WHERE id = ?", (job.id,))
    return job.wished if row is None else int(row[0])
