"""The size of the next request, or of the view as it stands, and where each number comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from sash.errors import InvalidOption, RemoteError, Unavailable
from sash.flows.context import Context
from sash.flows.request.load import remember
from sash.flows.request.prepare import prepare
from sash.flows.steps import CountTokens, Flow
from sash.model.counts import Count
from sash.model.turns import Draft
from sash.planning.inputs import Memory, Settings
from sash.planning.rules import count_params


def count(chat: Context, drafts: Sequence[Draft], settings: Settings, *, exact: bool) -> Flow[Count]:
    """The prompt of a request that sends `drafts`; without any, what the view weighs now. Writes nothing.

    `exact` asks the endpoint. Raises InvalidOption for exact without drafts (a request must end in a user turn),
    and RemoteErrors of the endpoint.
    """
    if not drafts:
        if exact:
            raise InvalidOption(
                "an exact count is one of a request: give the content that would be sent", option="exact", value=True
            )
        return _view(chat, settings)
    prepared = yield from prepare(replace(chat, count_online=False), drafts, settings)
    if not exact:
        return prepared.plan.prompt
    try:
        tokens = yield from CountTokens(params=count_params(prepared.plan.shared_body), betas=prepared.plan.sent.betas)
    except RemoteError as error:
        raise Unavailable(
            f"the counting endpoint did not answer ({error}); the estimate is {prepared.plan.prompt.tokens:,} tokens, "
            f"at most {prepared.plan.prompt.upper:,}",
            **{**error.facts, "retry_after": error.facts.get("retry_after")},
        ) from error
    return chat.counter.endpoint(tokens)


def _view(chat: Context, settings: Settings) -> Count:
    loaded = chat.store.windows.read(
        chat.conversation, model=settings.model, preamble=settings.preamble, base=chat.counter.base
    )
    chat = chat.calibrated(loaded.calibration)
    return _size(remember(loaded, settings, chat.counter, chat.sizes).memory)


def _size(memory: Memory) -> Count:
    turns = memory.loaded.turns
    unseen = Count(0, ceil(memory.unseen), "usage")
    if memory.anchor is not None:
        newer = [turn.seq for turn in turns if turn.seq > memory.anchor_seq]
        return sum((memory.counts[seq] + memory.shown(seq) for seq in newer), memory.anchor + unseen)
    fixed = memory.fixed + memory.present_size + unseen
    attached = sum((memory.shown(turn.seq) for turn in turns), fixed)
    return sum((memory.counts[turn.seq] for turn in (*memory.in_front, *turns)), attached)
