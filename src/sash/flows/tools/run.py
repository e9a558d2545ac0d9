"""Answering tool calls: with results the caller gives, or in a run that calls the functions itself.

All calls of a reply are answered in one user turn, in their order; what a function raises goes to Claude as an
error result. Each result is on disk before the next function is called, so a crash loses none: `run` without
content, or the next `send`, goes on with those that were kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sash.errors import InvalidContent, NothingToRetry
from sash.flows.context import Context
from sash.flows.request.deliver import deliver
from sash.flows.request.send import Call
from sash.flows.steps import CallTool, Emit, Flow, Now
from sash.flows.tools.open_calls import kept_results, left_open
from sash.model.answers import RunEvent, StreamEvent
from sash.model.blocks import Block, dumps
from sash.model.functions import Function, answers, error_result, is_result, result_block
from sash.model.replies import Reply, after
from sash.model.turns import Draft, Turn
from sash.planning.history.results import judged
from sash.planning.inputs import Settings
from sash.planning.plan import Plan

PAGE = 8
FORCED = ("any", "tool")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a run may call, and for how long."""

    functions: Mapping[str, Function]
    by_hand: frozenset[str] = frozenset()
    """names of tools the caller answers: a reply that calls one ends the run, once its functions have run"""
    max_steps: int = 20
    """the most requests of the run"""


def submit(chat: Context, results: Any, settings: Settings, call: Call) -> Flow[Reply]:
    """Answer the open calls of the newest reply; those without a result with the one that a run kept, else an error.

    Raises InvalidContent, before anything is written, for other calls.
    """
    turn = _newest(chat)
    calls = left_open(turn) if turn else []
    if turn is None or not calls:
        raise InvalidContent(
            f"no tool call waits for a result in conversation {chat.id!r}; results sent before are sent by retry()",
            problem="tool-orphan",
        )
    kept = kept_results(chat.store, turn, calls)
    found = map(chat.fitted, answers(calls, results, kept))
    draft = Draft(role="user", content=dumps([judged(*pair) for pair in zip(calls, found, strict=True)]))
    return (yield from deliver(chat, (draft,), settings, call))


def run(chat: Context, drafts: Sequence[Draft], settings: Settings, call: Call, tools: Tools) -> Flow[Reply]:
    """Ask, call what Claude calls, answer, and so on; the last reply, summing up all of them.

    Without drafts it goes on where a run was left: with open calls, or with what is pending. It ends at a reply
    without calls, one that calls a tool left to the caller (the functions it calls beside have run, their results are
    kept for `submit`), or after `max_steps` requests.
    """
    if not drafts:
        drafts = yield from _left_over(chat, tools)
    reply = yield from _step(chat, drafts, settings, call)
    for _ in range(tools.max_steps - 1):
        calls = _open(reply)
        if reply.turn is None or not calls:
            return reply
        results = yield from _called(chat, reply.turn, calls, tools)
        if len(results) < len(calls):
            return _handed_over(reply, calls, results)
        settings = _unforced(settings)
        reply = after(reply, (yield from _step(chat, (_answering(calls, results),), settings, call)))
    return _stopped(reply, tools) if _open(reply) else reply


def _step(chat: Context, drafts: Sequence[Draft], settings: Settings, call: Call) -> Flow[Reply]:
    reply = yield from deliver(chat, drafts, settings, call)
    if cleared := _cleared(reply.plan):
        yield from _tell(RunEvent(type="cleared", reply=reply, calls=cleared))
    if shortened := _shortened(reply.plan):
        yield from _tell(RunEvent(type="shortened", reply=reply, calls=shortened))
    yield from _tell(RunEvent(type="reply", reply=reply))
    return reply


def _cleared(plan: Plan) -> tuple[str, ...]:
    """The calls whose results left the view with this request."""
    return tuple(str(b.get("tool_use_id")) for t in plan.turns if t.seq in plan.decision.cleared for b in t.blocks)


def _shortened(plan: Plan) -> tuple[str, ...]:
    """The calls whose results, new in this request, were too long for it."""
    newest = plan.turns[-1]
    whole = newest.recorded
    ends = {str(block.get("tool_use_id")) for block in newest.blocks if is_result(block) and block not in whole}
    return tuple(sorted(ends | plan.epoch.relief.single(newest.seq)))


def _tell(event: RunEvent) -> Flow[None]:
    yield from Emit(event=StreamEvent(event))


def _open(reply: Reply) -> list[Block]:
    """The calls of a reply that wait for results."""
    return left_open(reply.turn) if reply.turn is not None and reply.turn.state == "answered" else []


def _called(chat: Context, turn: Turn, calls: Sequence[Block], tools: Tools) -> Flow[dict[str, Block]]:
    """The results of `calls` by id, each made once: those kept from an earlier try stand, those by hand are left."""
    results = kept_results(chat.store, turn, calls)
    for call in calls:
        if call["id"] not in results and call.get("name") not in tools.by_hand:
            results[call["id"]] = yield from _result(chat, turn, call, tools)
    return results


def _answering(calls: Sequence[Block], results: Mapping[str, Block]) -> Draft:
    return Draft(role="user", content=dumps([results[call["id"]] for call in calls]))


def _result(chat: Context, turn: Turn, call: Block, tools: Tools) -> Flow[Block]:
    function = tools.functions.get(str(call["name"]))
    if function is None:
        block = error_result(call, f"there is no tool named {call['name']!r}")
    else:
        block = judged(call, chat.fitted((yield from _result_of(call, function))))
    now = yield from Now()
    chat.store.results.keep(chat.conversation, turn=turn.id, call=str(call["id"]), block=dumps(block), at=now)
    yield from _tell(RunEvent(type="tool_result", call=call, result=block))
    return block


def _result_of(call: Block, function: Function) -> Flow[Block]:
    try:
        return result_block(call, (yield from CallTool(function=function, input=call["input"])))
    except Exception as error:  # noqa: BLE001 - whatever a function does wrong is for Claude to hear
        return result_block(call, error)


def _left_over(chat: Context, tools: Tools) -> Flow[tuple[Draft, ...]]:
    """What a run that was left has to send next; () when something is pending already."""
    turn = _newest(chat)
    if turn is None:
        raise NothingToRetry(f"conversation {chat.id!r} has no run to go on with; give content", conversation=chat.id)
    calls = left_open(turn)
    if not calls:
        return ()
    results = yield from _called(chat, turn, calls, tools)
    if len(results) < len(calls):
        raise InvalidContent(f"{_by_hand(calls, results)} first", problem="tool-unanswered")
    return (_answering(calls, results),)


def _newest(chat: Context) -> Turn | None:
    """The newest turn that is not withdrawn; an instruction answers nothing and counts for none."""
    head = chat.store.branches.head(chat.conversation)
    before = head.seq
    while before > 0:
        after_seq = max(0, before - PAGE)
        page = chat.store.turns.read(chat.conversation, after=after_seq, limit=before - after_seq)
        for turn in reversed(page):
            if turn.state != "withdrawn" and turn.role != "system":
                return turn
        before = after_seq
    return None


def _unforced(settings: Settings) -> Settings:
    """A forced choice of tool holds for the first request; forced for ever, a run could not end."""
    choice = settings.options.get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") not in FORCED:
        return settings
    rest = {name: value for name, value in settings.options.items() if name != "tool_choice"}
    return replace(settings, options=rest)


def _stopped(reply: Reply, tools: Tools) -> Reply:
    note = f"the run stopped after {tools.max_steps} requests with calls open; run() without content goes on"
    return replace(reply, notes=(*reply.notes, note))


def _handed_over(reply: Reply, calls: Sequence[Block], results: Mapping[str, Block]) -> Reply:
    """The end of a run at calls that the caller answers; the results of the others are kept."""
    return replace(reply, notes=(*reply.notes, _by_hand(calls, results)))


def _by_hand(calls: Sequence[Block], results: Mapping[str, Block]) -> str:
    left = [f"{call['name']} ({call['id']})" for call in calls if call["id"] not in results]
    return f"answer {', '.join(left)} by submit()"
