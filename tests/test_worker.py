"""What conversations leave to workers is done as it would have been beside them, by whichever of them lives."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import sash
import servers
from children import command, ended, started
from sash import AsyncConversation, Conversation, MemoryStore, Recall, Summarised
from sash.bulk import Bulk
from sash.bulk.summaries import Summaries
from sash.errors import InvalidOption, NotFound, UnknownModel
from sash.model.jobs import TRIES, LeftJob
from sash.model.workers import KindOfJobs
from sash.simulator import BatchRules, Simulator
from sash.simulator.faults import HttpError, Overloaded
from sash.worker import Worked, Worker
from summarising import BY, Talker

OWN = Summarised(tokens=500, warm=False)
DAY = 86_400.0
NONE = KindOfJobs(kind="summaries")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a record can live that several processes open."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return str(tmp_path / "record.db")


class Letters:
    """An embedder that counts letters; `broken`: it fails."""

    name = "letters"

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """How often each letter stands in a text."""
        if self.broken:
            raise ZeroDivisionError("secret words")
        return [[float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


@contextmanager
def talker(where: str, **settings: Any) -> Iterator[Talker]:
    """A user whose conversation leaves its work to workers."""
    given = {"background": "worker", "recall": False, "strategy": OWN, **settings}
    made = Talker(where, **given)
    try:
        yield made
    finally:
        made.close()


def until_left(one: Talker) -> None:
    """Talk until there is a summary to make."""
    before = jobs(one).get("summaries", NONE).waiting
    for _ in range(60):
        one.say()
        if jobs(one).get("summaries", NONE).waiting > before:
            return
    raise AssertionError("nothing was left")


def jobs(one: Talker) -> dict[str, KindOfJobs]:
    """How the jobs stand, by kind."""
    state = one.chat._store.jobs.state(at=one.sim.clock.now())
    return {kind.kind: kind for kind in state.kinds}


def work(one: Talker, **settings: Any) -> Any:
    """What a worker does that takes what there is."""
    given = {"client": one.client, "clock": one.sim.clock.now, **settings}
    with Worker(one.chat._store, **given) as worker:
        return worker.run(once=True)


# ---- what is left, and done --------------------------------------------------------------------------------


def test_a_summary_is_left_and_made_as_it_would_have_been(place: str) -> None:
    """The same turns, model, text and price as beside the conversation; the next cut stands on it without waiting."""
    with talker(place) as one, talker(":memory:", background="here") as other:
        until_left(one)
        one.chat.wait_for_background()
        assert one.chat.summaries() == [] and one.makings() == []
        while not other.chat.summaries():
            other.say()
        did = work(one)
        assert (did.done, did.failed) == (1, 0)
        (made,), (beside, *_) = one.chat.summaries(), other.chat.summaries()
        assert (made.upto, made.model, made.method, made.text) == (beside.upto, BY, "model", beside.text)
        assert made.cost == pytest.approx(beside.cost) and jobs(one)["summaries"].done == 1
        cut = one.until_cut()
        assert cut.plan.epoch.summary is not None and not any("waited" in note for note in cut.notes)
        assert len(one.makings()) == 1


def test_without_a_worker_nothing_is_lost(path: Path) -> None:
    """A cut that needs a summary makes it on the way, as where none was ready; the job that waited has nothing left."""
    with talker(str(path)) as one:
        reply = one.until_cut()
        assert reply.plan.epoch.summary is not None
        assert reply.notes[0].startswith("waited for a summary")
        paid = len(one.makings())
        work(one)
        assert len(one.makings()) == paid


def test_async_conversations_leave_the_same(path: Path) -> None:
    """Every turn has its vector once a worker has come, and none before."""

    async def talk() -> None:
        async with AsyncConversation(
            path, id="a", client=sash.simulator.async_client(), background="worker", recall=Recall(semantic=Letters())
        ) as chat:
            for _ in range(16):
                await chat.send("The lamp is green.")
            await chat.wait_for_background()

    asyncio.run(talk())
    assert vectors(path) == 0
    with Worker(path, client="simulator") as other:
        assert other.run(once=True).done == 0  # it has not the embedder
    with Worker(path, client="simulator", embedder=Letters()) as worker:
        assert worker.run(once=True).done == 1
    assert vectors(path) == 32


def test_imports_are_left_to_workers_too(path: Path) -> None:
    """A long history that was said elsewhere gets its vectors; a fork leaves its work as the conversation does."""
    said: list[Any] = [{"role": ("user", "assistant")[at % 2], "content": f"Lamp {at} is green."} for at in range(40)]
    with Conversation(path, id="a", client="simulator", background="worker", recall=Recall(semantic=Letters())) as chat:
        chat.extend(said)
        with chat.fork() as fork:
            assert fork._session.leaves_jobs
    with Worker(path, client="simulator", jobs=["embeddings"], embedder=Letters()) as worker:
        assert worker.run(once=True).done == 1
    assert vectors(path) == 40


def test_what_a_user_said_is_read_by_workers(place: str) -> None:
    """For the whole of what waits, by the model that the conversation names."""
    sim = Simulator()
    with Conversation(
        place, id="a", user="ann", client=sim.client(), background="worker", memory="full", recall=False
    ) as chat:
        for number in range(4):
            chat.send(f"I live in Utrecht, number {number}. " + "The mill stands by the water and turns slowly. " * 60)
        chat.wait_for_background()
        assert not [attempt for attempt in sim.messages if attempt.body["model"] == BY]
        with Worker(place, client=sim.client()) as worker:
            worker.run(once=True)
        assert [attempt.body["model"] for attempt in sim.messages if attempt.body["model"] == BY] == [BY]


def test_batches_are_collected_by_workers(place: str) -> None:
    """Nobody looks at a batch before its time, each result is used once, and the job of many questions finds it."""
    sim = Simulator(batch_rules=BatchRules(begins_after=30))
    questions = ["How old is the mill?", "Who built it?"]
    settings: dict[str, Any] = {"store": place, "id": "j", "clock": sim.clock.now}
    with Bulk(questions, client=sim.async_client(), **settings) as bulk:
        assert all(outcome.waiting for outcome in bulk.run(batch=True, wait=False))
    with Worker(place, client=sim.client(), clock=sim.clock.now) as worker:
        assert worker.run(once=True).done == 0
        asked = len(sim.log)
        assert worker.run(once=True).done == 0 and len(sim.log) == asked
        sim.clock.advance(61)
        assert worker.run(once=True).done == 1
        sim.clock.advance(61)
        asked = len(sim.log)
        assert worker.run(once=True).done == 0 and len(sim.log) == asked
    with Bulk(questions, client=sim.async_client(), **settings) as bulk:
        assert all(outcome.reply for outcome in bulk.run())


def test_batches_of_summaries_are_collected_by_workers(path: Path) -> None:
    """What `sash summarise --batch` handed in, for conversations at rest."""
    sim = Simulator(batch_rules=BatchRules(begins_after=30))
    with Conversation(path, id="mill", client=sim.client(), clock=sim.clock.now) as chat:
        for number in range(10):
            chat.send(f"Beam {number} is {number * 3 + 7} feet long. " + "The mason came in and went out again. " * 10)
        sim.clock.advance(7_200)
        with Summaries(path, client=sim.client(), clock=sim.clock.now, limit=800, keep=300, least=200) as summaries:
            assert summaries.submit().conversations == 1
        sim.clock.advance(61)
        with Worker(path, client=sim.client(), clock=sim.clock.now, jobs=["batches"]) as worker:
            assert worker.run(once=True).done == 1
        assert [summary.state for summary in chat.summaries()] == ["ready"]


def test_rules_of_retention_are_kept(place: str) -> None:
    """What nobody went on with for longer goes, audited; a rule that was taken back is no job any more."""
    now = time.time()
    for id, namespace in (("a", "acme"), ("b", "")):
        Conversation(place, id=id, namespace=namespace, client="simulator").close()
    store = sash.open(place)
    store.retain("acme", days=30)
    clock = [now + 10 * DAY]
    with Worker(store, client="simulator", jobs=["retention"], clock=lambda: clock[0]) as worker:
        assert worker.run(once=True).done == 0
        clock[0] = now + 31 * DAY
        assert worker.run(once=True).done == 1
        assert [info.id for info in store.conversations()] == ["b"] and not list(store.conversations(namespace="acme"))
        store.retain("acme", days=None)
        clock[0] += DAY
        worker.run(once=True)
    assert [kind.kind for kind in store.jobs.state(at=clock[0]).kinds if kind.waiting] == []
    with store.database.reading() as db:  # type: ignore[attr-defined]
        assert db.one("SELECT count(*) FROM jobs")[0] == 0
        assert db.one("SELECT reason FROM forgotten")[0] == "unused for 30 days"
    store.close()


# ---- what fails --------------------------------------------------------------------------------------------


def test_what_the_api_fails_waits_and_is_made_when_it_is_back(path: Path) -> None:
    """However long that takes; other jobs are done meanwhile, and the record says what is the matter."""
    with talker(str(path), recall=Recall(semantic=Letters())) as one:
        until_left(one)
        one.chat.extend([{"role": ("user", "assistant")[at % 2], "content": f"Lamp {at}"} for at in range(40)])
        one.sim.faults.storm(1.0, [Overloaded()])
        for failures in range(1, TRIES + 3):
            did = work(one, embedder=Letters())
            assert (did.done, did.failed) == (int(failures == 1), 1)
            (failing,) = one.chat._store.jobs.state(at=one.sim.clock.now()).failing
            assert failing.failures == failures and "overloaded" in failing.error and not failing.given_up
            assert work(one).failed == 0  # not before its time
            one.sim.clock.advance(3_601)
        one.sim.faults.calm()
        assert work(one).done == 1 and one.chat.summaries()[-1].state == "ready"


def test_what_can_never_be_is_given_up(path: Path) -> None:
    """A request that the API refuses: after some tries, until the conversation goes on."""
    with talker(str(path)) as one:
        until_left(one)
        one.sim.faults.storm(1.0, [HttpError(status=400, kind="invalid_request_error", message="no")])
        for _ in range(TRIES + 2):
            work(one)
            one.sim.clock.advance(3_601)
        one.sim.faults.calm()
        (kind,) = jobs(one).values()
        assert (kind.given_up, kind.failed, kind.waiting) == (1, TRIES, 0)
        assert work(one).done == 0 and len(one.makings()) == TRIES
        with Worker(one.chat._store, client=one.client, clock=one.sim.clock.now) as worker:
            assert worker.revive() == 1
            assert worker.run(once=True).done == 1


@pytest.mark.parametrize(
    ("status", "kind", "given_up"),
    [
        (404, "not_found_error", True),
        (403, "permission_error", True),
        (401, "authentication_error", False),
        (402, "billing_error", False),
    ],
)
def test_what_no_other_key_would_mend_is_given_up(
    status: int, kind: str, given_up: bool, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A model that is none for this account ends as failed, with its name; a key or a plan is waited for.

    Each time that the conversation goes on, it is tried once; of itself never.
    """
    with talker(str(path)) as one:
        until_left(one)
        one.sim.faults.storm(1.0, [HttpError(status=status, kind=kind, message="no")])
        results = []
        for _ in range(TRIES + 2):
            results.append(work(one))
            one.sim.clock.advance(3_601)
        assert sum(did.failed for did in results) == len(one.makings()) == (TRIES if given_up else TRIES + 2)
        assert sum(did.given_up for did in results) == int(given_up) == ("--anew" in caplog.text)
        (failing,) = one.chat._store.jobs.state(at=one.sim.clock.now()).failing
        assert failing.given_up == given_up
        assert failing.error == f"AccessDenied: {kind}" + (f" ({BY})" if given_up else "")
        if given_up:
            key = one.chat._chat().conversation
            job = LeftJob(kind="summaries", maker=BY, terms={"upto": 4, "tokens": 500, "must_keep": False})
            one.chat._store.jobs.leave(key, [job], at=one.sim.clock.now())
            assert [work(one).given_up for _ in range(2)] == [1, 0]
            one.sim.faults.calm()
            with Worker(one.chat._store, client=one.client, clock=one.sim.clock.now) as worker:
                assert [job.error for job in worker.given_up()] == [failing.error]
                assert worker.revive() == 1 and worker.run(once=True).done == 1


def _fill(store: Any, place: str) -> Callable[[], object]:
    """Leave no room for a summary: what makes room again. A server says so by an error of its own."""
    if place.startswith("postgresql:"):
        servers.run(
            place,
            "CREATE FUNCTION sash.full() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$",
            "CREATE TRIGGER no_room BEFORE INSERT ON sash.summaries FOR EACH ROW EXECUTE FUNCTION sash.full()",
        )
        return lambda: servers.run(place, "DROP TRIGGER no_room ON sash.summaries")
    with store.database.writing() as db:
        pages = db.one("PRAGMA page_count")[0]
        db.execute("CREATE TABLE large (content)")
        db.execute(
            "CREATE TRIGGER no_room BEFORE INSERT ON summaries BEGIN INSERT INTO large VALUES (zeroblob(1000000)); END"
        )
    run = store.database._sqlite.execute
    run(f"PRAGMA max_page_count = {pages + 50}")
    return lambda: run("DROP TRIGGER no_room")


def test_a_full_disk_holds_a_worker_up_and_loses_nothing(place: str) -> None:
    """The job waits with its reason, however often; where there is room again, the summary is made and kept."""
    with talker(place) as one:
        until_left(one)
        room = _fill(one.chat._store, place)
        for _ in range(TRIES + 1):
            assert work(one).failed == 1
            one.sim.clock.advance(3_601)
        (failing,) = one.chat._store.jobs.state(at=one.sim.clock.now()).failing
        assert (failing.error, failing.given_up) == ("StoreUnavailable", False)
        room()
        assert work(one).done == 1 and [summary.state for summary in one.chat.summaries()] == ["ready"]


def test_a_server_that_crashes_in_mid_job_costs_nothing_twice(postgres_url: str) -> None:
    """It is back when the answer comes: the summary is kept, paid for once, and the job is done."""
    with talker(postgres_url) as one:
        until_left(one)
        crashed: list[bool] = []

        def crash(body: Any) -> bool:
            if body.get("model") == BY:
                servers.server().crash()
                crashed.append(True)
            return False

        one.sim.faults.fail_next(Overloaded(), when=crash)
        assert work(one).done == 1 and len(crashed) == len(one.makings()) == 1
        assert [summary.state for summary in one.chat.summaries()] == ["ready"]
        assert jobs(one)["summaries"] == KindOfJobs(kind="summaries", done=1)


def test_no_error_of_others_ends_a_worker(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever an embedder raises is one failure, named without a word of any text."""
    with Conversation(path, id="a", client="simulator", background="worker", recall=Recall(semantic=Letters())) as chat:
        chat.extend([{"role": ("user", "assistant")[at % 2], "content": f"Lamp {at}"} for at in range(40)])
    with Worker(path, client="simulator", embedder=Letters(broken=True)) as worker:
        assert worker.run(once=True).failed == 1
        (failing,) = worker._store.jobs.state(at=0.0).failing
    assert failing.error.startswith("ZeroDivisionError") and "secret" not in failing.error + caplog.text


def test_two_workers_and_a_busy_conversation_pay_once(path: Path) -> None:
    """Whoever finds that somebody is at it leaves the job for later, and then nothing is left to do."""
    with talker(str(path)) as one:
        until_left(one)
        key, now = one.chat._chat().conversation, one.sim.clock.now()
        task = one.chat._store.summaries.begin(key, upto=4, at=now, until=now + 900)
        assert task is not None and work(one).done == 0 and one.makings() == []
        one.chat._store.summaries.fail(key, token=task.token, error="x", retry_at=now, upto=4)
        one.sim.clock.advance(31)
        assert work(one).done == 1 and len(one.makings()) == 1


# ---- processes ---------------------------------------------------------------------------------------------


class Gate:
    """A simulator's request that waits: where it is asked for a summary, until it is let through."""

    def __init__(self, sim: Simulator) -> None:
        self.came, self._open = threading.Event(), threading.Event()
        sim.faults.fail_next(Overloaded(), when=self._waits)

    def _waits(self, body: Any) -> bool:
        if body.get("model") == BY:
            self.came.set()
            self._open.wait()
        return False

    def open(self) -> None:
        """Let it through, and all that come."""
        self._open.set()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_finishes_its_job(number: int, place: str) -> None:
    """It takes no other one, and ends with code 0; the job is done, and paid once."""
    with talker(place) as one, one.sim.serve() as url:
        until_left(one)
        gate = Gate(one.sim)
        process = started(command, url, "worker", place)
        gate.came.wait()
        assert process.pid is not None
        os.kill(process.pid, number)
        gate.open()
        assert ended(process) == [0]
        assert [summary.state for summary in one.chat.summaries()] == ["ready"] and len(one.makings()) == 1
        assert one.chat._store.jobs.state(at=0.0).workers == ()


@pytest.mark.slow
def test_a_killed_workers_job_is_taken_up_at_once(place: str) -> None:
    """Its place among the living, its job and its hold on the conversation's summary end with its process."""
    with talker(place) as one, one.sim.serve() as url:
        until_left(one)
        gate = Gate(one.sim)
        process = started(command, url, "worker", place)
        gate.came.wait()
        assert len(one.chat._store.jobs.state(at=0.0).workers) == 1
        assert work(one).done == 0  # somebody lives who has it
        process.kill()
        assert ended(process) == [-signal.SIGKILL]
        gate.open()
        assert work(one).done == 1
        assert [summary.state for summary in one.chat.summaries()] == ["ready"]
        (failing, *_) = [kind for kind in jobs(one).values() if kind.kind == "summaries"]
        assert (failing.done, failing.failed, failing.waiting, failing.running) == (1, 1, 0, 0)


@pytest.mark.slow
def test_many_workers_do_each_job_once(place: str) -> None:
    """Some processes on one record: as many jobs are done as were left, no summary is paid twice."""
    sim = Simulator()
    with sim.serve() as url:
        for number in range(6):
            with talker(place, id=f"c{number}") as one:
                until_left(one)
        processes = [started(command, url, "worker", place, "--once") for _ in range(3)]
        assert ended(*processes) == [0, 0, 0]
        made = [attempt for attempt in sim.messages if attempt.body.get("model") == BY]
        assert len(made) == 6
    store = sash.open(place)
    (kind,) = store.jobs.state(at=time.time()).kinds
    assert (kind.done, kind.failed, kind.waiting) == (6, 0, 0)
    store.close()


def test_a_process_that_died_over_a_summary_holds_nobody_up(path: Path) -> None:
    """One that made it beside its conversation, too: the job is free at once where its process can be looked up."""
    with talker(str(path), background="here", strategy=Summarised(tokens=500, warm=False, ahead=False)) as one:
        for _ in range(6):
            one.say()
        assert ended(started(_begin_and_end, path)) == [0]
        key = one.chat._chat().conversation
        assert one.chat._store.summaries.trouble(key).retry_at == 0.0
        assert one.chat._store.summaries.begin(key, upto=4, at=0.0, until=900.0) is not None


def _begin_and_end(path: Path) -> None:
    store = sash.open(path)
    assert store.summaries.begin(1, upto=4, at=0.0, until=900.0) is not None
    os._exit(0)


def test_stopping_ends_a_rest(path: Path) -> None:
    """Whoever rests for an hour ends when told, from another thread."""
    sash.open(path).close()
    with Worker(path, client="simulator", every=3_600.0) as worker:
        thread = threading.Thread(target=worker.run)
        thread.start()
        while not worker._store.jobs.state(at=0.0).workers:
            threading.Event().wait(0.001)
        worker.stop()
        thread.join()
        assert worker._store.jobs.state(at=0.0).workers == ()


def test_stopping_while_the_record_cannot_be_reached_is_no_failure(path: Path) -> None:
    """What was done is told: that the worker is gone, the record knows by itself before long."""
    sash.open(path).close()
    with Worker(path, client="simulator", every=3_600.0) as worker, ThreadPoolExecutor(1) as beside:
        running = beside.submit(worker.run)
        while not worker._store.jobs.state(at=0.0).workers:
            threading.Event().wait(0.001)
        with worker._store.database.writing() as db:  # type: ignore[attr-defined]
            db.execute("ALTER TABLE workers RENAME TO elsewhere")
        worker.stop()
        assert running.result() == Worked()


# ---- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", [None, ":memory:", MemoryStore])
def test_a_record_in_memory_has_no_workers(store: Any) -> None:
    """Nothing could be done of what is left there: the error says what to name, before anything is sent."""
    with pytest.raises(InvalidOption, match="name a file or a postgresql:// URL"):
        Conversation(store() if store is MemoryStore else store, client="simulator", background="worker")
    with pytest.raises(InvalidOption, match="choose one of here, worker"):
        Conversation(client="simulator", background="elsewhere")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"jobs": ["sumaries"]}, InvalidOption, "choose among summaries"),
        ({"jobs": []}, InvalidOption, "choose among summaries"),
        ({"every": 0}, InvalidOption, "seconds above 0"),
        ({"by": "claude-sonet-5-5"}, UnknownModel, "claude-sonet-5-5"),
        ({"recal": True}, InvalidOption, "recal"),
    ],
)
def test_what_a_worker_cannot_be_told_is_named(settings: Any, error: Any, says: str, path: Path) -> None:
    """Before a job is taken."""
    sash.open(path).close()
    with pytest.raises(error, match=says):
        Worker(path, client="simulator", **settings)


def test_a_record_that_is_not_there_is_not_made(path: Path) -> None:
    """A worker for a misspelt file would wait for ever."""
    with pytest.raises(NotFound, match="name one that is there"):
        Worker(path, client="simulator")
    assert not path.exists()
    with pytest.raises(InvalidOption, match="a file or a URL"):
        Worker(None, client="simulator")  # type: ignore[arg-type]


def vectors(path: Path) -> int:
    """How many vectors a file holds."""
    store: Any = sash.open(path)
    with store.database.reading() as db:
        found = int(db.one("SELECT count(*) FROM vectors")[0])
    store.close()
    return found
