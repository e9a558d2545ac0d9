"""The one place where requests are made ready to leave: body, headers, key, and what limits, spans and logs are told.

Every request says what it is for, and is foreseen: a plan's by its count, any other by a bound that needs no tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash.flows.context import Context
from sash.limits.sizes import most_tokens
from sash.model.answers import Wire
from sash.model.cards import ModelCard
from sash.model.forecast import Forecast, Purpose, user_of
from sash.planning.inputs import Settings

TIMEOUT = 120.0
"""Seconds for a request that nobody set a time for: one that makes a summary."""


def wire(
    chat: Context,
    settings: Settings,
    body: Mapping[str, Any],
    *,
    purpose: Purpose,
    prompt: int | None = None,
    read: int = 0,
    betas: tuple[str, ...] = (),
    timeout: float | None = TIMEOUT,
    request: int | None = None,
) -> Wire:
    """A conversation's request, sent with its key. Only a send may be answered from a memo.

    `prompt`: its tokens at their upper bound (None: not counted), of which `read` should come from the cache; `timeout`
    in seconds; `request`: its row in the record.
    """
    most = most_tokens(body) if prompt is None else prompt
    forecast = Forecast(
        purpose=purpose,
        countable=max(0, most - read),
        prompt=most,
        output=int(body["max_tokens"]),
        card=settings.card,
        conversation=chat.id,
        namespace=chat.namespace,
        user=user_of(body) or chat.user,
        request=request,
        bypass_memo=chat.bypass_memo or purpose != "send",
        key=settings.key.name,
        priority=chat.priority,
        max_wait=chat.max_wait,
    )
    return Wire(body=body, betas=betas, headers=settings.headers, timeout=timeout, forecast=forecast)


def wire_for(card: ModelCard, body: Mapping[str, Any], *, conversation: str, namespace: str) -> Wire:
    """A request for a summary of a conversation that nobody has open: everything else goes first."""
    most = most_tokens(body)
    forecast = Forecast(
        purpose="summary",
        countable=most,
        prompt=most,
        output=int(body["max_tokens"]),
        card=card,
        conversation=conversation,
        namespace=namespace,
        bypass_memo=True,
        priority="background",
    )
    return Wire(body=body, timeout=TIMEOUT, forecast=forecast)
