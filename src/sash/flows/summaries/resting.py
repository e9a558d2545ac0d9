"""Conversations at rest: which of their turns want a summary, what is asked, and what becomes of the answer.

The same for a batch (`backlog`) and for requests made at once: only the price differs. Pure but for the steps that
`at_once` yields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sash.errors import InvalidOption
from sash.flows.context import Counter
from sash.flows.record import Record
from sash.flows.steps import Flow, Now, Send
from sash.flows.summaries.jobs import giving_back, later, or_given_back
from sash.flows.summaries.summarise import asking, findings, most_of, said_in
from sash.flows.wires import wire_for
from sash.model.answers import Answer
from sash.model.bill import bill
from sash.model.blocks import dumps, text_block
from sash.model.cards import card as card_of
from sash.model.summaries import BatchTask, NewSummary, Resting, Summary, SummaryTask
from sash.model.turns import Turn, by_exchange, spoken
from sash.model.usage import Usage
from sash.summaries import PROMPT_VERSION, ask, facts_of, judge, render, replaced_by, split

LEASE = 300.0
"""Seconds for which a conversation is ours while its request is made; a batch's item holds the place from then on."""
CHANGED = "its turns changed meanwhile"

Counters = Callable[[str], Counter]
"""The counter of a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is summarised, and how. Tokens and seconds.

    `by`: the model that reads. `limit`: the most tokens of a summary. `keep`: the recent tokens that need none, for
    they stay verbatim. `least`: fewer tokens than this are not worth a request. `idle`: how long nothing was said.
    """

    by: str = "claude-haiku-5-5"
    limit: int = 4_000
    keep: int = 8_000
    least: int = 2_000
    idle: float = 3_600.0
    must_keep: bool = True
    namespace: str | None = ""
    """None: the conversations of all"""

    def __post_init__(self) -> None:
        card_of(self.by)  # raises UnknownModel
        for name, least in (("limit", 64), ("keep", 0), ("least", 0), ("idle", 0)):
            if getattr(self, name) < least:
                raise InvalidOption(f"{name} is at least {least}", option=name, value=getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What came of requests for summaries. Dollars as they were paid: half the price for batches."""

    waiting: int = 0
    """items of batches that have not ended"""
    ready: int = 0
    rejected: int = 0
    """by the guards, or because their conversation moved on"""
    failed: int = 0
    """errored, expired or cancelled: asked for again another time"""
    lost: int = 0
    """batches that are not there any more, or never were"""
    dollars: float = 0.0

    def __add__(self, other: Collected) -> Collected:
        return Collected(
            waiting=self.waiting + other.waiting,
            ready=self.ready + other.ready,
            rejected=self.rejected + other.rejected,
            failed=self.failed + other.failed,
            lost=self.lost + other.lost,
            dollars=self.dollars + other.dollars,
        )


@dataclass(frozen=True, kw_only=True)
class Due:
    """A conversation's job, taken; None where there is none. `skipped`: one turn is too large for any request."""

    task: BatchTask | None = None
    skipped: bool = False


def resting(store: Record, backlog: Backlog) -> Flow[Sequence[Resting]]:
    """The conversations that nobody has spoken in for a while."""
    now = yield from Now()
    return store.summaries.resting(namespace=backlog.namespace, before=now - backlog.idle, at=now)


def due(store: Record, backlog: Backlog, one: Resting, counters: Counters) -> Flow[Due]:
    """Take the job of the next summary of a conversation, where it wants one."""
    turns = store.turns.read(one.conversation, after=one.covered)
    piece = leaving(backlog, turns, sizer(counters(one.model or backlog.by)))
    if not piece:
        return Due(skipped=piece is not None)
    now = yield from Now()
    task = store.summaries.begin(one.conversation, upto=piece[-1].seq, at=now, until=now + LEASE)
    if task is None:
        return Due()
    return Due(task=BatchTask(conversation=one.conversation, model=one.model, task=task))


def leaving(backlog: Backlog, turns: Sequence[Turn], size: Callable[[str], int]) -> tuple[Turn, ...] | None:
    """The turns that the next summary covers, as many as one request may read: whole exchanges, answered.

    `turns`: all behind the last summary. None: too little to be worth it; empty: one turn is too large.
    """
    exchanges = by_exchange(turn for turn in turns if turn.state != "withdrawn")
    while exchanges and not _finished(exchanges[-1]):
        exchanges.pop()
    kept = 0
    while exchanges and kept < backlog.keep:
        kept += sum(size(turn.text) for turn in exchanges.pop())
    rest = [turn for exchange in exchanges for turn in exchange]
    if not spoken(rest) or sum(size(turn.text) for turn in rest) < backlog.least:
        return None
    (first, _), *more = split(rest, most_of(card_of(backlog.by), backlog.limit), size)
    if more and more[0].turns[0].seq == first[-1].seq:  # the piece ends inside a turn
        first = tuple(turn for turn in first if turn.seq < more[0].turns[0].seq)
    return first


def _finished(exchange: Sequence[Turn]) -> bool:
    said = spoken(exchange)
    return bool(said) and said[-1].role == "assistant" and said[-1].state == "answered"


def body(backlog: Backlog, task: SummaryTask) -> dict[str, Any]:
    """The request for a summary of what is left of the previous one and of the turns."""
    asked = ask(task.parent.text if task.parent else "", task.turns, backlog.limit)
    return asking(card_of(backlog.by), asked.system, asked.content, backlog.limit)


def digest(turns: Sequence[Turn], parent: Summary | None) -> str:
    """What turns and the summary before them say, in 32 hex digits: redaction takes words out of both."""
    said = hashlib.sha256(f"{parent.id} {parent.text}".encode() if parent else b"")
    for turn in turns:
        said.update(f"{turn.id} {len(turn.content)} {turn.content}".encode())
    return said.hexdigest()[:32]


def judged(
    backlog: Backlog, item: BatchTask, answer: Answer, size: Callable[[str], int], now: float, *, batch: str = ""
) -> NewSummary:
    """What came back, judged. Where its turns are not what they were, nothing of it is kept but what it cost.

    `batch`: the API's id of the batch it was an item of, which is paid at half the price.
    """
    task = item.task
    previous = task.parent.text if task.parent else ""
    verdict = judge(
        answer.blocks if item.intact else (),
        answer.stop_reason,
        facts=facts_of(task.turns, previous),
        turns=task.turns,
        limit=backlog.limit,
        replaced=replaced_by(backlog.limit, previous, task.turns, size),
        size=size,
        must_keep=backlog.must_keep,
    )
    report: Mapping[str, Any] = findings(verdict, verdict.verbatim)
    said = said_in(answer) if item.intact else ""
    return NewSummary(
        conversation=item.conversation,
        task=task,
        state="ready" if verdict.ok else "rejected",
        text=verdict.text if verdict.ok else said,
        content=dumps([render(verdict.text)] if verdict.ok else []),
        verbatim=verdict.verbatim,
        model=backlog.by,
        prompt=PROMPT_VERSION,
        method="model",
        tokens=verdict.tokens,
        requests=1,
        usage=Usage.billed(answer.usage),
        cost=bill(answer.usage, card_of(backlog.by), model=answer.model, batch=bool(batch)),
        report={**report, **({"batch": batch} if batch else {}), **({} if item.intact else {"reason": CHANGED})},
        at=now,
        retry_at=0.0 if verdict.ok or not item.intact else later(now, task.failures),
        item=task.token if batch else "",
    )


def kept(store: Record, new: NewSummary) -> Collected:
    """Keep a summary, or what it cost."""
    ready = store.summaries.keep(new) is not None
    return Collected(ready=int(ready), rejected=int(not ready), dollars=new.cost or 0.0)


def at_once(store: Record, backlog: Backlog, counters: Counters) -> Flow[Collected]:
    """Summarise what rests, one request after the other, at the full price. Raises RemoteError."""
    total = Collected()
    for one in (yield from resting(store, backlog)):
        found = yield from due(store, backlog, one, counters)
        if found.task is not None:
            total += yield from _asked(store, backlog, one, found.task, counters)
    return total


def _asked(store: Record, backlog: Backlog, one: Resting, item: BatchTask, counters: Counters) -> Flow[Collected]:
    asked = body(backlog, item.task)
    send = Send(wire=wire_for(card_of(backlog.by), asked, conversation=one.id, namespace=one.namespace))
    answer = yield from or_given_back(iter(send), giving_back(store, item.conversation, item.task))
    size = sizer(counters(item.model or backlog.by))
    return kept(store, judged(backlog, item, answer, size, (yield from Now())))


def sizer(counter: Counter) -> Callable[[str], int]:
    """Tokens of a text in a conversation's prompts."""

    def size(text: str) -> int:
        return counter.count(counter.measure_message("user", [text_block(text)])).tokens

    return size
