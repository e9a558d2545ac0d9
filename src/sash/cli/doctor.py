"""`sash doctor`: is everything there that a conversation needs? Key, model, limits, database, clock.

Each check is one line: ok, a warning or a failure with what to do. Asks Claude for the model and, once, for a count of
tokens (both free); writes nothing. A failure ends with exit code 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

import click
from rich.text import Text

from sash.claude.clients import sync_client
from sash.claude.translate import error_types, remote_error
from sash.cli.common import console, dollars, in_words, json_option, namespace, print_json
from sash.cli.database import NEW_DATABASE, open_database, shown
from sash.conversation.session import DEFAULT_MODEL
from sash.errors import SashError, UnknownModel
from sash.limits.headers import told
from sash.model.cards import card
from sash.model.values import counted
from sash.model.workers import FailingJob
from sash.stores.urls import is_url

SKEW = 60.0
"""Seconds by which this machine's clock may differ from Claude's before it is worth a word."""
STYLE = {"ok": "green", "note": "yellow", "fails": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    what: str
    state: Literal["ok", "note", "fails"]
    text: str


@click.command(short_help="Check key, model, limits, database and clock")
@click.argument("database", required=False, type=NEW_DATABASE)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="The model that is meant.")
@click.option("--simulator", is_flag=True, help="Ask the simulator instead of Claude.")
@json_option
def doctor(database: str | None, model: str, simulator: bool, as_json: bool) -> None:
    """Check key, model, limits, DATABASE (if named) and clock. Exit code 1 if a check fails."""
    found = []
    for finding in _findings(database, model, "simulator" if simulator else None):
        found.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        print_json([asdict(finding) for finding in found])
    if any(finding.state == "fails" for finding in found):
        raise click.exceptions.Exit(1)


def _show(finding: Finding) -> None:
    """One line, as soon as it is known."""
    line = Text(f"{finding.state:5}  ", style=STYLE[finding.state])
    line.append(f"{finding.what:9} {finding.text}", style="not bold default")
    console().print(line, soft_wrap=True)


def _findings(database: str | None, model: str, client: Any) -> Iterator[Finding]:
    yield _model_known(model)
    if database is not None:
        found = _checked("database", lambda: _database(database))
        yield found
        if found.state != "fails" and (is_url(database) or Path(database).exists()):
            yield _memory(database)
            yield from _server(database)
            yield from _workers(database)
    try:
        asked = sync_client(client)
    except SashError as error:
        yield Finding("key", "fails", in_words(error))
        return
    with closing(asked):
        yield from _claude(asked, model)


def _model_known(model: str) -> Finding:
    try:
        known = card(model)
    except UnknownModel as error:
        return Finding("model", "fails", str(error))
    prices = (
        f"${known.prices[0].fresh:g} in, ${known.prices[0].output:g} out per million" if known.prices else "no prices"
    )
    retires = f"; retires {known.retires}" if known.retires else ""
    state: Literal["ok", "note"] = "note" if known.retires else "ok"
    return Finding("model", state, f"{known.id}: window {known.window:,} tokens, {prices}{retires}")


def _database(database: str) -> Finding:
    if is_url(database):
        return Finding("database", "ok", _answered(database))
    if not Path(database).exists():
        return Finding("database", "note", f"{database} is not there yet; the first conversation creates it")
    answered = _answered(database)
    file = Path(database).stat()
    if file.st_mode & 0o077:
        return Finding("database", "note", f"{database} can be read by others; chmod 600 {database}")
    return Finding("database", "ok", f"{answered}, {file.st_size / 1e6:.1f} MB")


def _answered(database: str) -> str:
    """How much it holds; opening it looks at its kind, its schema and its permissions."""
    with closing(open_database(database)) as store:
        rows = store.usage(by=(), namespace=namespace())
    return f"{shown(database)}: {counted(rows[0].requests if rows else 0, 'request')} answered"


def _memory(database: str) -> Finding:
    """What was left out though it would have fitted, and what for."""
    with closing(open_database(database)) as store:
        found = store.cuts(namespace=namespace())
    if not found.for_price:
        often = counted(found.cuts, "time")
        return Finding("memory", "ok", f"{often} old turns left what is sent, never for the price alone")
    return Finding(
        "memory",
        "note",
        f"{found.for_price:,} of {found.cuts:,} times old turns left what is sent though the budget had room, to save "
        f'about {dollars(found.saved)}; memory="full" keeps them while they fit',
    )


def _server(database: str) -> Iterator[Finding]:
    """What a database server says of itself."""
    with closing(open_database(database)) as store:
        remarks = store.remarks()
    for remark in remarks:
        yield Finding(remark.about, "ok" if remark.good else "note", remark.text)


def _workers(database: str) -> Iterator[Finding]:
    """Who does what is left to workers, how it stands, and what fails."""
    now = time.time()
    with closing(open_database(database, all_tenants=not namespace())) as store:
        state = store.within(namespace()).jobs.state(at=now, namespace=namespace() or None)
    waiting = sum(kind.waiting for kind in state.kinds)
    if state.workers:
        alive = ", ".join(f"{one.name} ({', '.join(one.kinds)})" for one in state.workers)
        yield Finding("workers", "ok", f"{len(state.workers)} alive: {alive}")
    elif waiting:
        waits = f"none is alive, and {counted(waiting, 'job')} to be done: sash worker {shown(database)}"
        yield Finding("workers", "note", waits)
    elif state.kinds:
        yield Finding("workers", "ok", "none is alive, and nothing waits for one")
    for kind in state.kinds:
        since = f" (the oldest {_span(now - kind.oldest)})" if kind.oldest is not None else ""
        counts = f"{kind.waiting} waiting{since}, {kind.running} running, {kind.done} done, {kind.failed} failed"
        yield Finding("jobs", "note" if kind.given_up else "ok", f"{kind.kind}: {counts}, {kind.given_up} given up")
    for job in state.failing:
        yield Finding("jobs", "note", failing(job, now))


def failing(job: FailingJob, now: float) -> str:
    """What became of a job that failed, why, and what comes next."""
    whose = job.conversation or (f"batch {job.subject}" if job.kind == "batches" else job.namespace)
    then = f"tried again in {_span(job.retry_at - now)}" if job.retry_at > now else "to be tried again"
    further = "given up (sash worker --anew tries it again)" if job.given_up else then
    return f"{job.kind} of {whose!r} came to nothing {counted(job.failures, 'time')}, {job.error}; {further}"


def _span(seconds: float) -> str:
    """A length of time in the unit that suits it."""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _claude(client: Any, model: str) -> Iterator[Finding]:
    """What Claude's answer to one free request tells: key, access to the model, limits, clock."""
    before = time.time()
    try:
        said: Any = [{"role": "user", "content": "Hello"}]
        answer = client.messages.with_raw_response.count_tokens(model=model, messages=said)
    except error_types() as error:
        yield Finding("key", "fails", str(remote_error(error)))
        return
    yield Finding(
        "key", "ok", f"works for {model} (organization {answer.headers.get('anthropic-organization-id', '?')})"
    )
    yield _limits(answer.headers)
    yield _clock(answer.headers.get("date"), before)


def _limits(headers: Any) -> Finding:
    found = told(headers, 200).limits
    if not any(found):
        return Finding("limits", "note", "none named in the headers; they are learned from the first message")
    names = ("requests", "input tokens", "output tokens")
    named = [f"{limit:,.0f} {name}" for limit, name in zip(found, names, strict=True) if limit]
    return Finding("limits", "ok", f"{', '.join(named)} a minute")


def _clock(date: str | None, before: float) -> Finding:
    try:
        there = parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):
        return Finding("clock", "note", "the answer bears no date to compare with")
    off = (before + time.time()) / 2 - there
    if abs(off) > SKEW:
        return Finding("clock", "fails", f"is {abs(off):,.0f} s {'ahead' if off > 0 else 'behind'}; set it (ntp)")
    return Finding("clock", "ok", f"within {max(1.0, abs(off)):.0f} s of Claude's")


def _checked(what: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except SashError as error:
        return Finding(what, "fails", str(error))
