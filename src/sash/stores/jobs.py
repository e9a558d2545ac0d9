"""Jobs for workers, each a row that one of them takes at a time; and the workers that are alive.

What a conversation leaves is a row for it and its kind. Batches under way and rules of retention are jobs by
themselves: their rows are made when a worker looks. A row belongs to a worker as long as that lives: until its process
has ended (looked up where it ran on this machine) or, where that cannot be told, `LASTS` seconds after it last said so.
Times of workers are the store's own, those of jobs come from the caller.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from sash.model.blocks import dumps
from sash.model.jobs import KINDS, TRIES, Job, LeftJob
from sash.model.workers import FailingJob, JobsState, KindOfJobs, WorkerInfo
from sash.stores.processes import held_until
from sash.stores.transaction import Database, Row, Transaction

LASTS = 60.0
"""Seconds after which a worker counts as dead that did not say it lives."""
SHOWN = 20
"""Failing jobs that are named."""
DIED = "the worker that had it died"

_BY_THEMSELVES = """
SELECT 'batches' AS kind, namespace, id AS subject, at FROM batches WHERE phase IN ('submitting', 'submitted')
UNION ALL SELECT 'retention', namespace, 0, :at FROM retention"""
_MISSING = f"""
SELECT n.kind, n.namespace, n.subject, '' AS maker, '{{{{}}}}' AS terms, n.at FROM ({_BY_THEMSELVES}) n
WHERE n.kind IN {{kinds}} AND (n.namespace = :namespace OR :namespace IS NULL) AND NOT EXISTS
    (SELECT 1 FROM jobs j WHERE j.kind = n.kind AND j.namespace = n.namespace AND j.subject = n.subject)"""
_DUE = """
SELECT * FROM jobs WHERE retry_at <= :at AND faults < :tries AND kind IN {kinds}
    AND (namespace = :namespace OR :namespace IS NULL) AND (kind <> 'embeddings' OR maker IN {embedders})
    AND worker NOT IN {others}
ORDER BY at, id LIMIT 1"""
_LEAVE = """
INSERT INTO jobs (kind, namespace, subject, maker, terms, at)
SELECT :kind, namespace, id, :maker, :terms, :at FROM conversations WHERE id = :conversation
ON CONFLICT (kind, namespace, subject) DO UPDATE SET maker = excluded.maker, terms = excluded.terms,
    wished = jobs.wished + 1,
    retry_at = CASE WHEN jobs.faults < :tries THEN jobs.retry_at ELSE 0 END,
    faults = CASE WHEN jobs.faults < :tries THEN jobs.faults ELSE :tries - 1 END"""
_NAMED = """
SELECT j.*, coalesce(c.name, '') AS name FROM jobs j
LEFT JOIN conversations c ON c.id = j.subject AND j.kind IN ('summaries', 'embeddings', 'profiles')"""


class Jobs:
    """Who does what. See `sash.flows.record.Jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def leave(self, conversation: int, jobs: Sequence[LeftJob], *, at: float) -> None:
        """Leave jobs of a conversation to whoever takes them."""
        with self._database.passing() as db:
            for job in jobs:
                given = {"kind": job.kind, "maker": job.maker, "terms": dumps(dict(job.terms))}
                db.execute(_LEAVE, {**given, "conversation": conversation, "at": at, "tries": TRIES})

    def renew(self, worker: WorkerInfo) -> None:
        """Say that a worker lives."""
        with self._database.passing() as db:
            db.execute(
                "INSERT INTO workers (token, machine, process, kinds, began, until) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (token) DO UPDATE SET until = excluded.until",
                (
                    *(worker.token, worker.machine, worker.process),
                    *(" ".join(worker.kinds), worker.began, time.time() + LASTS),
                ),
            )

    def end(self, worker: WorkerInfo) -> None:
        """A worker takes no more."""
        with self._database.passing() as db:
            db.execute("DELETE FROM workers WHERE token = ?", (worker.token,))

    def take(
        self,
        worker: WorkerInfo,
        *,
        at: float,
        namespace: str | None = None,
        embedders: Sequence[str] = (),
    ) -> Job | None:
        """Take the job that has waited longest. Where there is none, nothing is written."""
        given = {"at": at, "namespace": namespace, "tries": TRIES, "kinds": dumps(list(worker.kinds))}
        given["embedders"] = dumps(list(embedders))
        with self._database.reading() as db:
            given["others"] = dumps(_others(db, worker))
            if _due(db, given) is None and db.one(_told(db, _MISSING), given) is None:
                return None
        with self._database.passing() as db:
            _bury(db)
            given["others"] = dumps(_others(db, worker))
            db.execute(
                "INSERT INTO jobs (kind, namespace, subject, maker, terms, at) "
                f"{_told(db, _MISSING)} ON CONFLICT (kind, namespace, subject) DO NOTHING",
                given,
            )
            while (row := _due(db, given, locked=db.skipping)) is not None:
                job = _taken(db, row, worker)
                if job is not None:
                    return job
                given["others"] = dumps(_others(db, worker))
            return None

    def finish(self, job: Job, worker: WorkerInfo, *, again: float | None = None, worked: bool = True) -> None:
        """It is done, or to be looked at again."""
        with self._database.passing() as db:
            mine = {"id": job.id, "worker": worker.token, "wished": job.wished, "again": again or 0.0}
            whose = "WHERE id = :id AND worker = :worker"
            freed = 0
            if again is None:
                freed = db.execute(f"DELETE FROM jobs {whose} AND wished = :wished", mine).rowcount
            if not freed:
                forgiven = ", failures = 0, faults = 0, error = ''" if worked else ""
                freed = db.execute(f"UPDATE jobs SET worker = '', retry_at = :again{forgiven} {whose}", mine).rowcount
            if freed and worked:
                _count(db, job.kind, done=1)

    def fail(self, job: Job, worker: WorkerInfo, *, error: str, retry_at: float, fault: bool) -> bool:
        """It failed; whoever lost it meanwhile changes nothing."""
        with self._database.passing() as db:
            left = db.one(
                "UPDATE jobs SET worker = '', failures = failures + 1, faults = faults + ?, error = ?, retry_at = ? "
                "WHERE id = ? AND worker = ? RETURNING faults",
                (int(fault), error, retry_at, job.id, worker.token),
            )
            if left is not None:
                _count(db, job.kind, failed=1)
            return left is not None and left["faults"] >= TRIES

    def revive(self, *, namespace: str | None = None) -> int:
        """Have what was given up tried again."""
        with self._database.passing() as db:
            db.execute("UPDATE profile_jobs SET retry_at = 0 WHERE namespace = ?1 OR ?1 IS NULL", (namespace,))
            return db.execute(
                "UPDATE jobs SET faults = 0, failures = 0, retry_at = 0 "
                "WHERE faults >= ?1 AND (namespace = ?2 OR ?2 IS NULL)",
                (TRIES, namespace),
            ).rowcount

    def state(self, *, at: float, namespace: str | None = None) -> JobsState:
        """How all stands."""
        with self._database.reading() as db:
            alive = _alive(db)
            given = {"at": at, "namespace": namespace, "tries": TRIES}
            given["alive"] = dumps([row["token"] for row in alive])
            return JobsState(
                workers=tuple(map(_worker, alive)), kinds=tuple(_kinds(db, given)), failing=tuple(_failing(db, given))
            )


def _told(db: Transaction, statement: str) -> str:
    among = {name: db.sql.among_names(f":{name}") for name in ("kinds", "embedders", "others")}
    return statement.format(**among)


def _due(db: Transaction, given: dict[str, Any], locked: str = "") -> Row | None:
    found: Row | None = db.one(_told(db, _DUE) + locked, given)
    return found


def _taken(db: Transaction, row: Row, worker: WorkerInfo) -> Job | None:
    """The job of a row, taken; None where it was taken this very moment, or is given up now.

    A row that bears the worker's own name is one that it could not give back. One that bears another's: that one died.
    """
    before = row["worker"]
    if before and before != worker.token:
        if before in _others(db, worker):
            return None
        db.execute(
            "UPDATE jobs SET worker = '', faults = faults + 1, failures = failures + 1, error = ? WHERE id = ?",
            (DIED, row["id"]),
        )
        _count(db, row["kind"], failed=1)
    db.execute("UPDATE jobs SET worker = ? WHERE id = ? AND faults < ?", (worker.token, row["id"], TRIES))
    found = db.one(f"{_NAMED} WHERE j.id = ? AND j.worker = ?", (row["id"], worker.token))
    return None if found is None else _job(found)


def _job(row: Row) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        namespace=row["namespace"],
        subject=row["subject"],
        conversation=row["name"],
        maker=row["maker"],
        terms=json.loads(row["terms"]),
        wished=row["wished"],
        failures=row["failures"],
    )


def _others(db: Transaction, worker: WorkerInfo) -> list[str]:
    """The workers that live beside this one."""
    return [row["token"] for row in _alive(db) if row["token"] != worker.token]


def _alive(db: Transaction) -> list[Row]:
    return [row for row in db.all("SELECT * FROM workers ORDER BY began, token") if not _dead(row)]


def _dead(row: Row) -> bool:
    return held_until(row) < time.time()


def _bury(db: Transaction) -> None:
    """Take out who died; the jobs that such a one had are free."""
    for row in filter(_dead, db.all("SELECT * FROM workers")):
        db.execute("DELETE FROM workers WHERE token = ? AND until = ?", (row["token"], row["until"]))


def _count(db: Transaction, kind: str, *, done: int = 0, failed: int = 0) -> None:
    db.execute(
        "INSERT INTO job_counts (kind, done, failed) VALUES (?, ?, ?) ON CONFLICT (kind) "
        "DO UPDATE SET done = job_counts.done + excluded.done, failed = job_counts.failed + excluded.failed",
        (kind, done, failed),
    )


def _worker(row: Row) -> WorkerInfo:
    return WorkerInfo(
        token=row["token"],
        machine=row["machine"],
        process=row["process"],
        kinds=tuple(row["kinds"].split()),
        began=row["began"],
    )


def _kinds(db: Transaction, given: dict[str, Any]) -> list[KindOfJobs]:
    """Those of which there is anything to say."""
    running, given_up = f"worker IN {db.sql.among_names(':alive')}", "faults >= :tries"
    waits = f"NOT {running} AND faults < :tries AND (retry_at <= :at OR failures > 0)"
    found = db.all(
        f"SELECT kind, sum(CASE WHEN {waits} THEN 1 ELSE 0 END) AS waiting, "
        f"min(CASE WHEN {waits} THEN at END) AS oldest, sum(CASE WHEN {running} THEN 1 ELSE 0 END) AS running, "
        f"sum(CASE WHEN {given_up} THEN 1 ELSE 0 END) AS given_up "
        "FROM jobs WHERE namespace = :namespace OR :namespace IS NULL GROUP BY kind",
        given,
    )
    now = {row["kind"]: {name: row[name] for name in ("waiting", "oldest", "running", "given_up")} for row in found}
    counts = db.all("SELECT kind, done, failed FROM job_counts")
    ever = {row["kind"]: {name: row[name] for name in ("done", "failed")} for row in counts}
    return [
        KindOfJobs(kind=kind, **now.get(kind, {}), **ever.get(kind, {}))
        for kind in KINDS
        if kind in now or kind in ever
    ]


def _failing(db: Transaction, given: dict[str, Any]) -> list[FailingJob]:
    rows = db.all(
        f"{_NAMED} WHERE j.failures > 0 AND (j.namespace = :namespace OR :namespace IS NULL) "
        f"ORDER BY j.at, j.id LIMIT {SHOWN}",
        given,
    )
    return [
        FailingJob(
            kind=row["kind"],
            namespace=row["namespace"],
            subject=row["subject"],
            conversation=row["name"],
            failures=row["failures"],
            error=row["error"],
            retry_at=row["retry_at"],
            given_up=row["faults"] >= TRIES,
        )
        for row in rows
    ]
