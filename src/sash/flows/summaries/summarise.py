"""Making a summary: take the job, ask a model, judge what it says, keep it with its sources, or change nothing.

Whoever fails leaves the record as it was but for a note of when to try again. Used by a send that the budget forces,
in the background, and by hand; the order of events is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sash.errors import NotFound
from sash.flows.context import Context
from sash.flows.request.exact_count import KeepView
from sash.flows.request.load import remember
from sash.flows.request.sizes import measure
from sash.flows.steps import Flow, Now, Send
from sash.flows.summaries.jobs import SummaryResult, later, with_job
from sash.flows.wires import wire
from sash.model.answers import Answer, Wire
from sash.model.bill import bill
from sash.model.blocks import Block, dumps
from sash.model.cards import ModelCard
from sash.model.cards import card as card_of
from sash.model.summaries import Method, NewSummary, SummaryRecord, SummaryTask
from sash.model.turns import Draft, Turn, as_turns
from sash.model.usage import Usage
from sash.model.values import whole
from sash.planning.inputs import Settings
from sash.planning.plan import make_plan
from sash.planning.rules import check_request
from sash.planning.strategies.summarised import Summarised
from sash.planning.summaries.cost import SummaryRequest, limit_of
from sash.planning.traits import part
from sash.planning.view import assemble
from sash.summaries import PROMPT_VERSION, GuardVerdict, ask, ask_warm, facts_of, judge, render, replaced_by, split

CAUTION = 0.7
"""The share of a price cliff, or of a window, that one piece of a backlog may take: its size is estimated."""


def summariser(strategy: object) -> Summarised | None:
    """The part of a strategy that summarises, if it has one."""
    return part(strategy, Summarised)


def summarise(
    chat: Context, settings: Settings, own: Summarised, wish: SummaryRequest, *, strict: bool = False
) -> Flow[SummaryResult]:
    """Make one summary. Failures of the far side are told, not raised, unless `strict`; those of the guards always."""
    return (yield from with_job(chat, wish, lambda task: _summarised(chat, settings, own, wish, task), strict=strict))


def resummarise(chat: Context, settings: Settings, own: Summarised) -> Flow[SummaryRecord]:
    """Make the newest summary again, from the record itself; the one before stays. What the guards say of it, too.

    Raises NotFound where there is none, ConversationBusy while another is being made, RemoteErrors.
    """
    made = chat.store.summaries.read(chat.conversation)
    ready = [summary for summary in made if summary.state == "ready"]
    if not ready:
        raise NotFound(f"conversation {chat.id!r} has no summary yet", kind="summary", key=chat.id)
    wish = SummaryRequest(upto=max(summary.upto for summary in ready), anew=True)
    yield from summarise(chat, settings, own, wish, strict=True)
    *_, newest = chat.store.summaries.read(chat.conversation)
    return newest


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """What the model said, judged, and what it took."""

    verdict: GuardVerdict
    method: Method
    model: str
    usage: Usage
    cost: float | None
    requests: int
    verbatim: tuple[int, ...]
    said: str
    """what the model said last, word for word"""


def _summarised(
    chat: Context, settings: Settings, own: Summarised, wish: SummaryRequest, task: SummaryTask
) -> Flow[SummaryResult]:
    size = _sizer(chat)
    limit = limit_of(own.tokens, settings.budget)
    draft = None
    if wish.method == "warm" and not wish.anew:
        draft = yield from _warm(chat, settings, own, task, limit, size)
    if draft is None:
        draft = yield from _by_model(chat, settings, own, task, limit)
    verdict = draft.verdict
    content = dumps([render(verdict.text)] if verdict.ok else [])
    now = yield from Now()
    summary = chat.store.summaries.keep(
        NewSummary(
            conversation=chat.conversation,
            task=task,
            state="ready" if verdict.ok else "rejected",
            text=verdict.text if verdict.ok else draft.said,
            content=content,
            verbatim=draft.verbatim,
            model=draft.model,
            prompt=PROMPT_VERSION,
            method=draft.method,
            tokens=verdict.tokens,
            requests=draft.requests,
            usage=draft.usage,
            cost=draft.cost,
            report=findings(verdict, draft.verbatim),
            at=now,
            retry_at=0.0 if verdict.ok else later(now, task.failures),
        )
    )
    note = "" if summary else verdict.reason or "it came too late"
    return SummaryResult(summary=summary, note=note, cost=draft.cost or 0.0)


def findings(verdict: GuardVerdict, verbatim: tuple[int, ...]) -> dict[str, Any]:
    """The guards' findings as plain values."""
    return {
        "reason": verdict.reason,
        "kept": verdict.kept,
        "added": [fact.text for fact in verdict.added],
        "lost": [fact.text for fact in verdict.lost],
        "verbatim": list(verbatim),
    }


def _sizer(chat: Context) -> Callable[[str], int]:
    """Tokens of a text in the conversation's prompts."""

    def size(text: str) -> int:
        return chat.counter.count(chat.counter.measure_message("user", [{"type": "text", "text": text}])).tokens

    return size


# ---- a model that reads the leaving turns ---------------------------------------------------------------


def _by_model(chat: Context, settings: Settings, own: Summarised, task: SummaryTask, limit: int) -> Flow[_Draft]:
    """In pieces where the backlog passes the model's price cliff or window, each one going on from the last."""
    card, size = card_of(own.by), _sizer(chat)
    other = replace(settings, card=card, headers={})
    previous = task.parent.text if task.parent else ""
    usage, cost, requests = Usage(), 0.0, 0
    verbatim: tuple[int, ...] = ()
    verdict: GuardVerdict | None = None
    for piece, read in split(task.turns, most_of(card, limit), size):
        asked = ask(previous, piece, limit)
        tokens = read + sum(map(size, (asked.system, previous, str(asked.content[-1]["text"]))))
        body = asking(card, asked.system, asked.content, limit)
        answer = yield from Send(wire=wire(chat, other, body, purpose="summary", prompt=tokens))
        requests, usage = requests + 1, usage + Usage.billed(answer.usage)
        cost += bill(answer.usage, card, model=answer.model) or 0.0
        verdict = _judged(own, answer, previous, piece, limit, size)
        verbatim = (*verbatim, *verdict.verbatim)
        if not verdict.ok:
            break
        previous = verdict.text
    assert verdict is not None  # a task has turns
    paid = cost if card.prices else None
    return _Draft(
        verdict=verdict,
        method="model",
        model=own.by,
        usage=usage,
        cost=paid,
        requests=requests,
        verbatim=verbatim,
        said=said_in(answer),
    )


def _judged(
    own: Summarised, answer: Answer, previous: str, turns: Sequence[Turn], limit: int, size: Callable[[str], int]
) -> GuardVerdict:
    return judge(
        answer.blocks,
        answer.stop_reason,
        facts=facts_of(turns, previous),
        turns=turns,
        limit=limit,
        replaced=replaced_by(limit, previous, turns, size),
        size=size,
        must_keep=own.must_keep,
    )


def said_in(answer: Answer) -> str:
    """The text of an answer, as a database can hold it."""
    return whole("".join(str(block.get("text") or "") for block in answer.blocks if block.get("type") == "text"))


def most_of(card: ModelCard, limit: int) -> int:
    """Tokens of turns that one request may read."""
    return max(1_000, int(CAUTION * min(card.cliff or card.window, card.window)) - 3 * limit)


def asking(card: ModelCard, system: str, content: Sequence[Block], limit: int) -> dict[str, Any]:
    """The body of a request to a model that reads `content`, thinking as little as it may."""
    body: dict[str, Any] = {"model": card.id, "max_tokens": min(card.max_output, 2 * limit + _thoughts(card))}
    body["system"] = [{"type": "text", "text": system}]
    body["messages"] = [{"role": "user", "content": list(content)}]
    mode = _least_thinking(card)
    if mode:
        body["thinking"] = {"type": mode}
    return body


def _least_thinking(card: ModelCard) -> str:
    """The mode in which a model thinks least about a summary; "" for its default."""
    if not card.thinking_default:
        return ""
    return next((mode for mode in ("disabled", "between_tools") if mode in card.thinking_modes), "")


def _thoughts(card: ModelCard) -> int:
    """Room for thinking where it cannot be turned off."""
    return 8_000 if card.thinking_default and not _least_thinking(card) else 0


# ---- the chat's own model on its own prefix ---------------------------------------------------------------


def _warm(
    chat: Context, settings: Settings, own: Summarised, task: SummaryTask, limit: int, size: Callable[[str], int]
) -> Flow[_Draft | None]:
    """The same prefix, tools and options, one more user turn, nothing of it recorded; None where that is not legal."""
    previous = task.parent.text if task.parent else ""
    ready = yield from _side_branch(chat, settings, ask_warm(previous, task.turns[-1], limit), limit)
    if ready is None:
        return None
    answer = yield from Send(wire=ready)
    usage = Usage.billed(answer.usage)
    verdict = _judged(own, answer, previous, task.turns, limit, size)
    cost = bill(answer.usage, settings.card, model=answer.model, options=ready.body)
    return _Draft(
        verdict=verdict,
        method="warm",
        model=settings.model,
        usage=usage,
        cost=cost,
        requests=1,
        verbatim=verdict.verbatim,
        said=said_in(answer),
    )


def _side_branch(chat: Context, settings: Settings, content: Sequence[Block], limit: int) -> Flow[Wire | None]:
    loaded = chat.store.windows.read(
        chat.conversation, model=settings.model, preamble=settings.preamble, base=chat.counter.base
    )
    now = yield from Now()
    chat = chat.calibrated(loaded.calibration)
    memory = remember(loaded, settings, chat.counter, chat.sizes).memory
    if memory.epoch is None or memory.tail is None or loaded.turns[-1].state != "answered":
        return None
    new = as_turns([Draft(role="user", content=dumps(list(content)))], memory.loaded.head.seq, now)
    counts = {turn.seq: chat.counter.count(measure(turn, chat.counter, settings.card)) for turn in new}
    roomy = replace(
        settings,
        strategy=KeepView(settings.strategy),
        budget=settings.card.window,
        max_tokens=max(settings.max_tokens, 2 * limit),
        hand_markers=(),
    )
    plan = make_plan(memory, new, counts, roomy, now)
    markers = tuple(marker for marker in plan.sent.markers if marker.role == "previous tail")
    body = assemble(plan.epoch, plan.numbered, replace(plan.sent, markers=markers))
    if plan.cut or not markers or check_request(body, betas=plan.sent.betas, card=settings.card):
        return None
    return wire(chat, settings, body, purpose="summary", prompt=plan.prompt.upper, betas=plan.sent.betas)
