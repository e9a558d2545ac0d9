"""Having the API compact what is about to leave the view: one request on the chat's own prefix, one signed block kept.

The block is recorded as a summary beside the turns it stands for, with what it cost. Whatever fails changes nothing:
the cut is then a plain one, and the turns stay in the record.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sash.errors import NotSupported
from sash.flows.context import Context
from sash.flows.request.load import Sized, remember
from sash.flows.request.sizes import measure
from sash.flows.steps import Flow, Now, Send
from sash.flows.summaries.jobs import SummaryResult, later, with_job
from sash.flows.wires import wire
from sash.model.answers import Answer, Wire
from sash.model.bill import bill
from sash.model.blocks import Block, dumps
from sash.model.epochs import Epoch
from sash.model.summaries import NewSummary, Summary, SummaryTask
from sash.model.turns import Turn, by_exchange
from sash.model.usage import Usage
from sash.model.window import LastRequest
from sash.planning.inputs import Settings
from sash.planning.rules import check_request
from sash.planning.strategies.server import ServerCompaction
from sash.planning.summaries.compaction import (
    DEMAND_BETA,
    betas_for,
    complete,
    most_of_block,
    read_marker,
    request,
    same_prefix,
)
from sash.planning.summaries.cost import SummaryRequest
from sash.planning.traits import part
from sash.planning.view import Placed, placed

TIMEOUT = 600.0
"""Seconds for one request: it may read a whole window."""
OWN_PROMPT, GIVEN_PROMPT = "server", "server, instructions given"


def compactor(strategy: object) -> ServerCompaction | None:
    """The part of a strategy that has the API compact, if it has one."""
    return part(strategy, ServerCompaction)


def compact(chat: Context, settings: Settings, own: ServerCompaction, upto: int) -> Flow[SummaryResult]:
    """Have the turns up to `upto` compacted. Failures of the far side are told, not raised."""
    made = yield from with_job(
        chat, SummaryRequest(upto=upto), lambda task: _compacted(chat, settings, own, task), server=True
    )
    return made


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Messages that one request has compacted, and their size in tokens."""

    epoch: Epoch
    turns: tuple[Turn, ...]
    tokens: int


def _compacted(chat: Context, settings: Settings, own: ServerCompaction, task: SummaryTask) -> Flow[SummaryResult]:
    loaded = chat.store.windows.read(
        chat.conversation, model=settings.model, preamble=settings.preamble, base=chat.counter.base
    )
    chat = chat.calibrated(loaded.calibration)
    sized = remember(loaded, settings, chat.counter, chat.sizes)
    now = yield from Now()
    last = loaded.last if sized.memory.warmth.tail_until > now else None
    came = _Came()
    pieces = _view(sized, settings, task)
    shared = bool(pieces)
    for piece in pieces or _backlog(chat, settings, task):
        if came.block is not None:  # a long backlog goes on from its last block
            piece = replace(piece, epoch=replace(piece.epoch, summary=_standing(came.block, task)))
        answer = yield from Send(wire=_wire(chat, piece, settings, own, last if shared else None))
        came = came.then(answer, piece, most_of_block(settings.budget), settings)
        if came.block is None:
            break
    return (yield from _keep(chat, settings, own, task, came))


@dataclass(frozen=True, kw_only=True)
class _Came:
    """What came of the requests so far."""

    block: Block | None = None
    reason: str = ""
    """why there is no block"""
    tokens: int = 0
    """of the block"""
    requests: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float | None = 0.0

    def then(self, answer: Answer, piece: _Piece, most: int, settings: Settings) -> _Came:
        """One more request; its block may have at most `most` tokens."""
        used = Usage.billed(answer.usage)
        block, reason = _judged(answer, piece, most)
        paid = bill(answer.usage, settings.card, model=answer.model, options=settings.options)
        return _Came(
            block=block,
            reason=reason,
            tokens=used.output,
            requests=self.requests + 1,
            usage=self.usage + used,
            cost=None if paid is None or self.cost is None else self.cost + paid,
        )


def _view(sized: Sized, settings: Settings, task: SummaryTask) -> list[_Piece]:
    """The present view up to the last turn that leaves, as the model has seen it; empty where it lacks something."""
    memory = sized.memory
    epoch = memory.epoch
    if epoch is None or not complete(epoch) or not same_prefix(epoch, settings) or task.upto < epoch.first_seq:
        return []
    present = [turn for turn in memory.loaded.turns if epoch.first_seq <= turn.seq <= task.upto]
    turns = (*memory.in_front, *present)
    tokens = sum(memory.counts[turn.seq].tokens for turn in turns) + memory.present_size.tokens
    return [_Piece(epoch=epoch, turns=turns, tokens=tokens)]


def _backlog(chat: Context, settings: Settings, task: SummaryTask) -> list[_Piece]:
    """All turns that no block covers, behind the last block, in pieces that fit the model's window."""
    epoch = Epoch(
        model=settings.model,
        preamble=settings.preamble,
        first_seq=task.turns[0].seq,
        thinking_stripped_to=task.upto,
        summary=task.parent,
        tagged=not settings.card.system_turns,
    )
    room = int(SHARE * settings.card.window)
    pieces: list[list[Turn]] = []
    sizes: list[int] = []
    for exchange in by_exchange(task.turns):
        tokens = sum(chat.counter.count(measure(turn, chat.counter, settings.card)).tokens for turn in exchange)
        if not pieces or sizes[-1] + tokens > room:
            pieces.append([])
            sizes.append(0)
        pieces[-1] += exchange
        sizes[-1] += tokens
    return [_Piece(epoch=epoch, turns=tuple(turns), tokens=tokens) for turns, tokens in zip(pieces, sizes, strict=True)]


SHARE = 0.7
"""The share of the window that one piece of a backlog may take: its size is estimated."""


def _standing(block: Block, task: SummaryTask) -> Summary:
    """A block that is not recorded, in the place of what it stands for."""
    return Summary(id=0, upto=task.upto, text=str(block["content"]), content=dumps([block]))


def _wire(chat: Context, piece: _Piece, settings: Settings, own: ServerCompaction, last: LastRequest | None) -> Wire:
    """The request; `last`: whose cache entries it may read."""
    view = placed(Placed(), piece.turns, piece.epoch)
    numbered = view.messages(piece.epoch)
    reading = read_marker(numbered, last.sent.markers, last.first) if last else ()
    body = request(piece.epoch, numbered, settings, markers=reading, instructions=own.instructions)
    betas = tuple(dict.fromkeys((*settings.betas, DEMAND_BETA, *betas_for(piece.epoch, view))))
    problems = check_request(body, betas=betas, card=settings.card)
    if problems:
        raise NotSupported(f"no compaction: {problems[0].path}: {problems[0].message}", feature="compaction")
    return wire(chat, settings, body, purpose="compaction", betas=betas)


def _judged(answer: Answer, piece: _Piece, most: int) -> tuple[Block | None, str]:
    """The block of an answer, or None and why it will not do."""
    blocks = [block for block in answer.blocks if block.get("type") == "compaction" and block.get("content")]
    if answer.stop_reason != "compaction" or len(blocks) != 1 or not blocks[0].get("signature"):
        return None, f"no block, stop reason {answer.stop_reason}"
    if Usage.billed(answer.usage).output >= piece.tokens:
        return None, "not-shorter"
    if Usage.billed(answer.usage).output > most:
        return None, "too-long"
    return blocks[0], ""


def _keep(
    chat: Context, settings: Settings, own: ServerCompaction, task: SummaryTask, came: _Came
) -> Flow[SummaryResult]:
    block = came.block
    now = yield from Now()
    summary = chat.store.summaries.keep(
        NewSummary(
            conversation=chat.conversation,
            task=task,
            state="rejected" if block is None else "ready",
            text="" if block is None else str(block["content"]),
            content=dumps([] if block is None else [block]),
            verbatim=(),
            model=settings.model,
            prompt=GIVEN_PROMPT if own.instructions else OWN_PROMPT,
            method="server",
            tokens=0 if block is None else came.tokens,
            requests=came.requests,
            usage=came.usage,
            cost=came.cost,
            report={"reason": came.reason},
            at=now,
            retry_at=later(now, task.failures) if block is None else 0.0,
        )
    )
    return SummaryResult(
        summary=summary, note="" if summary else came.reason or "it came too late", cost=came.cost or 0.0
    )
