"""One request from plan to recorded reply, streamed or not, whatever goes wrong on the way; `deliver` makes several.

The order of events: plan; record the user's turn, epoch and request in one transaction; send; record
reply and usage in another. A failure in between leaves a legal record: the turn is pending (or withdrawn
when the request itself was refused), a reply cut short is kept as interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, TypeVar

from sash.counting.cut_short import most_written
from sash.counting.ledger import REPLY_SLACK
from sash.errors import RemoteError, ReplyInterrupted, RequestRejected, StoreError, Unavailable
from sash.flows.context import Context
from sash.flows.profile import Profile
from sash.flows.request.calibrate import answered_by_another, learn
from sash.flows.request.known import tells
from sash.flows.request.load import forget_stored
from sash.flows.request.prepare import Prepared
from sash.flows.request.wait_for_summary import prepare_covered
from sash.flows.steps import (
    Abandoned,
    CloseStream,
    Emit,
    Flow,
    NextEvent,
    Now,
    OpenStream,
    Send,
    Snapshot,
    Step,
)
from sash.flows.wires import wire
from sash.model.answers import MENDED, Answer, Wire
from sash.model.bill import bill, with_output
from sash.model.blocks import dumps
from sash.model.counts import Count
from sash.model.incoming import CALLS, call_ids, made_elsewhere, mended, server_calls
from sash.model.replies import Reply
from sash.model.requests import Begun, FinishedRequest, NewRequest, Paid
from sash.model.turns import Draft, State, Turn, last_spoken
from sash.model.usage import Usage
from sash.planning.cache.surprise import surprise
from sash.planning.inputs import Settings
from sash.planning.plan import Plan
from sash.planning.rules import has_thinking

R = TypeVar("R")
WINDOW_FULL = "model_context_window_exceeded"
ENDS = ("end_turn", "stop_sequence")
"""Why a reply ends behind which a call sends nothing more, unless it asks for tools."""
STREAM_ABOVE = 21_333
"""max_tokens above which the SDK refuses to wait for a reply without streaming (600 s at 128,000 tokens an hour)."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """How the requests of a call are sent, and which of them were begun."""

    stream: bool = False
    """whether events are emitted meanwhile"""
    timeout: float | None = None
    """seconds"""
    begun: list[int] = field(default_factory=list)
    """numbers of the requests that were recorded as about to be sent, whatever became of them"""


def send_once(
    chat: Context, drafts: Sequence[Draft], settings: Settings, call: Call, *, again: bool = False
) -> Flow[Reply]:
    """Send `drafts` (none: what is pending) in one request and return the recorded reply.

    With `again` one more may follow: what that can mend (a thinking block that is bound elsewhere, a reply that ran
    into the end of the model's window) leaves the question pending.
    """
    prepared, done = yield from prepare_covered(chat, drafts, settings)
    plan = prepared.plan
    begun = begin(chat, prepared, settings)
    call.begun.append(begun.number)
    ready = wire(
        chat,
        settings,
        plan.shared_body,
        purpose="send",
        prompt=plan.expected.upper,
        read=plan.expected.read,  # as expected, while everything else is at its upper bound
        betas=plan.sent.betas,
        timeout=call.timeout,
        request=begun.request,
    )
    try:
        if call.stream or (settings.max_tokens > STREAM_ABOVE and call.timeout is None):
            answer = yield from _streamed(ready, emit=call.stream)
        else:
            answer = yield from Send(wire=ready)
    except _Cut as cut:
        error = yield from _broke_off(chat, prepared, begun, cut, settings, again=again)
        raise error from (None if error is cut.error else cut.error)
    except GeneratorExit:
        raise  # nobody drives this flow any more; the turn is recorded as pending
    except BaseException as error:  # cancelled, Ctrl-C, a bug: the record must say so before it goes on its way
        yield from _fail(chat, prepared, begun, error, keep=again and bound_elsewhere(error, plan))
        raise
    hold = again and answer.stop_reason == WINDOW_FULL and can_cut(plan)
    reply = yield from _finish(chat, prepared, begun, answer, settings, hold=hold)
    return replace(reply, notes=(*done, *reply.notes))


def begin(chat: Context, prepared: Prepared, settings: Settings) -> Begun:
    """Record the request before it leaves; what it tells of the user is kept as read."""
    plan = prepared.plan
    newest = last_spoken(plan.turns)
    if tells(chat, plan):
        Profile(chat.store, chat.user, namespace=chat.namespace).catch_up()
    new = NewRequest(
        conversation=chat.conversation,
        branch=prepared.branch,
        head=prepared.memory.loaded.head.seq,
        turns=prepared.drafts,
        epoch=plan.epoch,
        sent=plan.sent,
        expected=plan.expected,
        why=plan.why,
        body_hash=chat.shortcuts.digest.of(plan.shared_body),
        at=prepared.at,
        plain=newest is not None and newest.plain,
        counts=prepared.estimated,
        preamble_count=prepared.sized.preamble_estimated,
        interrupted=prepared.interrupted,
        learned=plan.decision.learned,
        home=settings.home,
        submission=chat.submission,
        forgotten=prepared.forgotten,
    )
    begun = chat.store.requests.begin(new)
    forget_stored(prepared.sized, plan.sent.model, chat.sizes)
    return begun


class _Cut(Exception):
    """A stream ended early with something to keep, or to pay. Never leaves this module."""

    def __init__(
        self, partial: Answer, error: BaseException | None, *, billed: bool = False, seconds: float = 0.0
    ) -> None:
        super().__init__("the stream ended early")
        self.partial, self.error = partial, error
        self.billed = billed
        """whether its usage says all that was written"""
        self.seconds = seconds
        """from its beginning to its end"""

    @property
    def text(self) -> str:
        """What it said before it broke off."""
        return "".join(str(b.get("text") or "") for b in self.partial.blocks if b.get("type") == "text")


def _streamed(ready: Wire, *, emit: bool) -> Flow[Answer]:
    """Receive a stream to its end. Raises _Cut when it ends early, once its prompt was told."""
    handle = yield from OpenStream(wire=ready)
    heard = _Heard()
    failure = yield from _listen(handle, heard, emit=emit)
    partial, hindered = yield from _all_the_same(Snapshot(handle=handle))
    _, unclosed = yield from _all_the_same(CloseStream(handle=handle))
    failure = failure or hindered or unclosed
    if partial is None:
        raise _ended() if failure is None else failure
    complete = partial.stop_reason is not None
    if complete and isinstance(failure, (type(None), Exception, Abandoned)):
        if (spoilt := _spoilt(heard.inputs)) is not None and state_of(partial) == "answered":
            raise _Cut(replace(partial, stop_reason=None), spoilt, billed=True)
        return partial  # all of it had come; only the farewell is missing
    now = yield from Now()
    raise _Cut(partial, failure, billed=complete, seconds=now - heard.began if heard.began else 0.0)


@dataclass(slots=True)
class _Heard:
    """What is known of a stream beside its snapshot."""

    began: float = 0.0
    """when its response came, in unix seconds"""
    inputs: dict[int, str] = field(default_factory=dict)
    """the JSON texts of calls, by the place of their block"""


def _listen(handle: Any, heard: _Heard, *, emit: bool) -> Flow[BaseException | None]:
    """Receive events; the result is what ended that early: far side, caller leaving, cancellation."""
    try:
        heard.began = yield from Now()
        while (event := (yield from NextEvent(handle=handle))) is not None:
            if event.input is not None:
                at, piece = event.input
                heard.inputs[at] = heard.inputs.get(at, "") + piece
            if emit:
                yield from Emit(event=event)
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, what has come is kept
        return error
    return None


def _all_the_same(step: Step[R]) -> Flow[tuple[R | None, BaseException | None]]:
    """A step that is taken although the caller is cancelled just then; and what came in its way."""
    hindered: BaseException | None = None
    for _ in range(2):
        try:
            return (yield from step), hindered
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, what has come is kept
            hindered = hindered or error
    return None, hindered


def _ended() -> Unavailable:
    return Unavailable(
        "the stream ended before anything came; the turn is recorded as pending, retry() sends it again",
        status=200, kind="stream_ended", request_id=None, retry_after=None,
    )  # fmt: skip


def _broke_off(
    chat: Context, prepared: Prepared, begun: Begun, cut: _Cut, settings: Settings, *, again: bool
) -> Flow[BaseException]:
    """Record a reply cut short, with what it used; the result is the error for the caller."""
    came = cut.partial if cut.billed else _as_far_as_it_came(prepared, cut, settings)
    if not came.blocks:  # nothing to keep, but its prompt was read
        error = _ended() if cut.error is None else cut.error
        yield from _fail(chat, prepared, begun, error, keep=False, paid=_paid(came, settings))
        return error
    hold = again and _may_go_elsewhere(chat, prepared, begun, cut)
    yield from _finish(chat, prepared, begun, came, settings, error=type(cut.error).__name__, hold=hold)
    return _interrupted(cut, begun, pending=(*prepared.pending, *(t.id for t in begun.turns)) if hold else ())


def _as_far_as_it_came(prepared: Prepared, cut: _Cut, settings: Settings) -> Answer:
    """A reply cut short, with the output to book for it: its first event told its prompt, none how long it was."""
    if not cut.partial.usage:
        return cut.partial  # not even its prompt was told
    written = most_written(cut.partial.blocks, prepared.counter, seconds=cut.seconds, most=settings.max_tokens)
    return replace(cut.partial, usage=with_output(cut.partial.usage, written))


def _spoilt(inputs: Mapping[int, str]) -> Unavailable | None:
    """What to say of a call whose input is no JSON: the SDK fills in what a text that ends too early may have meant."""
    for text in filter(None, inputs.values()):
        try:
            json.loads(text)
        except ValueError as error:
            return Unavailable(
                f"the input of a tool call is no JSON: {error}",
                status=200, kind="malformed_tool_input", request_id=None, retry_after=None,
            )  # fmt: skip
    return None


def _may_go_elsewhere(chat: Context, prepared: Prepared, begun: Begun, cut: _Cut) -> bool:
    """Whether another model may be asked in the place of one that broke off: nothing that it said can be kept."""
    fallback = chat.routing is not None and bool(chat.routing.fallback.models)
    mine = isinstance(cut.error, (type(None), Exception))
    return fallback and mine and not cut.text and bool(prepared.pending or begun.turns)


def _interrupted(cut: _Cut, begun: Begun, *, pending: Sequence[int]) -> BaseException:
    """What the caller gets for a reply cut short: their own cancellation, or ReplyInterrupted.

    `pending`: ids of turns that are to be sent again, for nothing could be kept of what came.
    """
    if cut.error is not None and not isinstance(cut.error, Exception):
        return cut.error
    text = cut.text
    kept = "what had come is recorded as interrupted. Send on, or retry() to ask again"
    kind = getattr(cut.error, "kind", "stream_ended") if isinstance(cut.error, RemoteError) else "stream_ended"
    return ReplyInterrupted(
        f"the reply broke off after {len(text)} characters ({kind}); "
        + ("the turn is pending, retry() sends it again" if pending else kept),
        status=getattr(cut.error, "status", None) if isinstance(cut.error, RemoteError) else 200,
        kind=kind,
        request_id=cut.partial.request_id,
        state="pending" if pending else "interrupted",
        **({"turn": pending[-1]} if pending else {}),
        number=begun.number,
        partial=text,
    )


def _fail(
    chat: Context, prepared: Prepared, begun: Begun, error: BaseException, *, keep: bool, paid: Paid | None = None
) -> Flow[None]:
    """Record a request without a reply; a refused request takes its turns (or all that were pending) along.

    `keep`: not this one, for it will be sent again in another form. `paid`: what it used, where a stream began.
    """
    refused = isinstance(error, RequestRejected) and not keep
    new = tuple(turn.id for turn in begun.turns)
    suspects = _suspects(prepared, begun) if refused else ()
    withdraw = tuple(turn.id for turn in suspects) or ((new or prepared.pending) if refused else ())
    now = yield from Now()
    kind = getattr(error, "kind", None) if isinstance(error, RemoteError) else None
    chat.store.requests.fail(
        begun.request,
        withdraw=withdraw,
        error=f"{type(error).__name__}: {kind}" if kind else type(error).__name__,
        request_id=error.request_id if isinstance(error, RemoteError) else None,
        at=now,
        paid=paid,
    )
    if isinstance(error, RemoteError):
        turn = next(iter((*prepared.pending, *new)[-1:]), None)  # none where a paused reply was to go on
        error.facts.update(turn=turn, state="withdrawn" if refused else "pending", number=begun.number)
        error.facts["suspects"] = suspects


def _paid(answer: Answer, settings: Settings) -> Paid | None:
    """What a reply without content used and cost; None where its usage is unknown."""
    if not answer.usage:
        return None
    cost = bill(answer.usage, settings.card, model=answer.model, options=settings.options)
    return Paid(usage=Usage.of_prompt(answer.usage), usage_json=answer.usage, cost=cost)


def _suspects(prepared: Prepared, begun: Begun) -> tuple[Turn, ...]:
    """All that the request said for the first time, where tool results are among it: they may be why it was refused."""
    pending = prepared.pending
    waiting = [turn for turn in prepared.plan.turns if turn.id in pending] if pending else []
    said = (*waiting, *begun.turns)
    return said if any(turn.role == "user" and not turn.plain for turn in said) else ()


def _finish(
    chat: Context,
    prepared: Prepared,
    begun: Begun,
    answer: Answer,
    settings: Settings,
    *,
    error: str | None = None,
    hold: bool = False,
) -> Flow[Reply]:
    """Record the reply. `hold`: it will be asked for again, so it is withdrawn and its question stays pending."""
    now = yield from Now()
    try:
        answer, mends = fit(answer, prepared.plan.turns, _used_before(chat, prepared, answer))
        record = _finished(prepared, begun, answer, settings, now, error=error, hold=hold)
        turn = chat.store.requests.finish(record)
    except StoreError as lost:
        lost.facts.update(answer=answer)  # it was paid for: the caller must not lose it to a full disk
        raise
    return Reply(
        blocks=answer.blocks,
        stop_reason=answer.stop_reason,
        usage=Usage.billed(answer.usage),
        cost=record.cost,
        latency=now - prepared.at,
        turn=turn,
        number=begun.number,
        plan=prepared.plan,
        message=answer.message,
        request_id=answer.request_id,
        surprise=record.surprise,
        notes=(*mends, *_notes(answer, settings.model), *filter(None, [prepared.plan.restless.said])),
    )


def _used_before(chat: Context, prepared: Prepared, answer: Answer) -> Collection[str]:
    """Ids of calls in the record, in view or not, that those of the answer may repeat."""
    ids = made_elsewhere(answer.blocks)
    return chat.store.turns.call_ids(prepared.branch, beginnings=ids) if ids else ()


def _finished(
    prepared: Prepared, begun: Begun, answer: Answer, settings: Settings, now: float, *, error: str | None, hold: bool
) -> FinishedRequest:
    """What is recorded of an answer."""
    usage, state = Usage.of_prompt(answer.usage), "withdrawn" if hold else state_of(answer)
    lessons = learn(prepared, begun, answer)
    remembered = "sash_memo" in answer.extra  # nothing was sent: nothing was used, and no cache was touched
    elsewhere = answered_by_another(answer, settings.model)
    return FinishedRequest(
        conversation=begun.conversation,
        request=begun.request,
        reply=Draft(role="assistant", content=dumps(answer.blocks)) if answer.blocks else None,
        state=state,
        settled_turns=() if hold else _settled_turns(prepared, begun, state),
        settled_as="withdrawn" if state == "withdrawn" else "answered",
        usage=None if remembered else usage,
        usage_json=answer.usage,
        cost=bill(answer.usage, settings.card, model=answer.model, options=settings.options),
        stop_reason=answer.stop_reason,
        message_id=answer.id,
        request_id=answer.request_id,
        error=error,
        at=now,
        model=settings.model,
        counts=lessons.turns,
        preamble_count=lessons.preamble,
        reply_count=None if remembered or elsewhere else _reply_count(answer, usage, state),
        base=prepared.counter.base,
        calibration=lessons.correction.as_json() if lessons.correction else None,
        extra=answer.extra,
        answers_calls=bool(_suspects(prepared, begun)),
        last=state == "answered" and _ends(answer),
        surprise="" if remembered else surprise(prepared.plan, usage, answer.extra),
    )


def _ends(answer: Answer) -> bool:
    """Whether its call sends nothing more."""
    return answer.stop_reason in ENDS and not any(block.get("type") in CALLS for block in answer.blocks)


def _settled_turns(prepared: Prepared, begun: Begun, state: State) -> tuple[int, ...]:
    """ids of the turns that a reply settles: a refusal only those that are new, where there are any."""
    new = tuple(turn.id for turn in begun.turns)
    return (new or prepared.pending) if state == "withdrawn" else (*prepared.pending, *new)


def fit(answer: Answer, turns: Iterable[Turn], used: Collection[str] = ()) -> tuple[Answer, tuple[str, ...]]:
    """The answer as it can be recorded behind `turns` and sent back, and what was mended for that.

    `used`: further ids of calls that its own must not repeat.
    """
    paired = any(isinstance(block, dict) and block.keys() & {"id", "tool_use_id"} for block in answer.blocks)
    before = tuple(turns) if paired else ()
    unanswered = takewhile(lambda turn: not turn.plain, reversed(before))  # a paused reply goes on here
    taken, open = call_ids(turn.content for turn in before), server_calls(turn.content for turn in unanswered)
    blocks, notes = mended(answer.blocks, taken.union(used), open)
    told = {MENDED: list(notes)} if notes else {}
    return replace(answer, blocks=blocks, extra={**answer.extra, **told}), notes


def bound_elsewhere(error: BaseException, plan: Plan) -> bool:
    """Whether the API refused a thinking block for its place: bound to another prefix, or altered.

    It says so in words alone: "... signature ... bound to a different conversation" ("Preserved thinking" docs).
    """
    said = str(getattr(error, "detail", "")) if isinstance(error, RequestRejected) else ""
    named = "thinking" in said and ("signature" in said or "cannot be modified" in said)
    return named and any(has_thinking(message["content"]) for _, message in plan.numbered)


def can_cut(plan: Plan) -> bool:
    """Whether older exchanges could still leave the view."""
    return plan.decision.first_exchange < plan.situation.newest


def _notes(answer: Answer, asked: str) -> tuple[str, ...]:
    """What the API did to the request beyond answering it."""
    other = answer.model if answered_by_another(answer, asked) else ""
    dropped = [change for change in answer.extra.get("input_transformations") or () if isinstance(change, dict)]
    edits = (answer.extra.get("context_management") or {}).get("applied_edits") or ()
    memo = answer.extra.get("sash_memo") or {}
    return (
        *([f"answered from memory: nothing was sent; it cost ${memo['saved']:.6f} the first time"] if memo else ()),
        *([f"{other} answered instead of {asked}, and is what was priced"] if other else ()),
        *(f"the API left out {change.get('path')}: {change.get('type')}, {change.get('reason')}" for change in dropped),
        *(f"the API edited the context: {dumps(edit)}" for edit in edits),
    )


def state_of(answer: Answer) -> State:
    """answered; interrupted where it ended early or in the middle of a tool call; withdrawn for a refusal."""
    if answer.stop_reason == "refusal":
        return "withdrawn"
    cut_call = bool(answer.blocks) and answer.blocks[-1].get("type") == "tool_use"
    if answer.stop_reason is None or (answer.stop_reason == "max_tokens" and cut_call):
        return "interrupted"
    return "answered"


def _reply_count(answer: Answer, usage: Usage, state: State) -> Count | None:
    """What the reply weighs without its thinking, where usage tells; else it is estimated when next read."""
    if state != "answered" or (has_thinking(answer.blocks) and not usage.thinking):
        return None
    tokens = usage.output - usage.thinking
    return Count(tokens, tokens + REPLY_SLACK, "usage")
