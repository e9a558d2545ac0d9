"""The rules of the Messages API: every request passes through `check_request` before it leaves.

One small function per rule, in tables; its name in `RULES` is stable and part of the interface. Judged is
the form of one request under API version 2026-10-21 (a later one may add fields: with `betas`, unknown
ones pass; unknown block types always do). Not judged, since one request does not show it: the token count
against the window, whether thinking still has its prefix, rights and existence of models and files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

from sash.errors import InvalidOption
from sash.model.cards import TABLE, ModelCard, base_name
from sash.model.cards import card as card_of
from sash.planning.rules import caching, media, parameters, results, thinking, tools, turns
from sash.planning.rules.blocks import has_thinking, is_plain_user, open_calls, sendable, strip_thinking, waiting_calls
from sash.planning.rules.body import Body, Rule, as_mapping, has_to_look, items, read
from sash.planning.rules.caching import MAX_MARKERS, markable, markable_tool
from sash.planning.rules.parameters import count_params
from sash.planning.rules.tools import ID, NAME, SERVER_CALLS
from sash.planning.rules.turns import is_server_result

__all__ = [
    "ID",
    "MAX_MARKERS",
    "NAME",
    "RULES",
    "SERVER_CALLS",
    "VERSION",
    "Problem",
    "check_request",
    "count_params",
    "has_thinking",
    "is_plain_user",
    "is_server_result",
    "markable",
    "markable_tool",
    "open_calls",
    "sendable",
    "strip_thinking",
    "waiting_calls",
]

VERSION = "2026-10-21"
"""The API version judged by default, the one that the SDK sends."""

RULES: dict[str, Rule] = {
    **parameters.RULES,
    **turns.RULES,
    **tools.RULES,
    **results.RULES,
    **thinking.RULES,
    **caching.RULES,
    **media.RULES,
}
"""Every rule by its id, in the order in which problems are reported."""

BESIDE_MESSAGES = frozenset(
    {
        *("parameter-missing", "parameter-unknown", "parameter-type", "sampling-parameter", "max-tokens", "prewarm"),
        *("compaction-request", "context-edits", "fallbacks", "thinking-mode", "thinking-budget", "thinking-binding"),
        *("effort", "stop-sequence", "tool-definition", "tool-choice-forced", "marker-on-deferred-tool"),
    }
)
"""Rules that look at nothing of the messages: what they say holds for whatever list of them stands in the request."""

LENIENT = ModelCard(
    id="this model",
    window=10**9,
    max_output=10**9,
    prices=(),
    cache_minimum=0,
    system_turns=True,
    prefill=True,
    thinking_default=False,
    thinking_modes=(),
)
"""Judges a model that is not in the table: nothing that any model takes is held against it."""

CALL_OPTIONS = ("betas", "extra_body", "extra_headers", "extra_query", "timeout")
"""Arguments of the SDK's call that never reach the body as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing the API would refuse."""

    rule: str
    """the rule's id, a key of `RULES`; stable"""
    path: str
    """where in the request, as the API writes it: "messages.3.content.0"; "" is the whole request"""
    message: str
    """what is wrong, with which value, and what to do"""
    done: str = ""
    """what a repair did about it, in words"""


class WithBetas(Protocol):
    """A request of a conversation, sent or planned."""

    @property
    def body(self) -> Mapping[str, Any]: ...
    @property
    def betas(self) -> Collection[str]: ...


def check_request(
    params: Mapping[str, Any] | WithBetas,
    *,
    betas: Collection[str] = (),
    card: ModelCard | None = None,
    version: str = VERSION,
) -> list[Problem]:
    """What the API would refuse in a request; an empty list means that it may leave.

    `params` is what `messages.create` takes, SDK objects and call options (`betas`, `extra_body`,
    `extra_headers`) included, or a request of a conversation (`chat.request(3)`, a plan), which brings its betas
    along. `card` defaults to the model's own; an unknown model is judged leniently. `version` is the date in the
    `anthropic-version` header. Raises InvalidOption for what is neither; nothing else, whatever JSON `params` holds.
    """
    if not isinstance(betas, Collection):
        raise InvalidOption(f"betas={betas!r:.60}: give a list of names", option="betas", value=betas)
    named = {betas} if isinstance(betas, str) else {*betas}
    if not isinstance(params, Mapping):
        params, named = _parts(params, named)
    return list(judged(_read(params, betas=named, card=card, version=version)))


def judged(body: Body, *, beside: bool = True) -> Iterator[Problem]:
    """What the rules hold against a request, one rule after the other; `beside`: those of `BESIDE_MESSAGES`, too."""
    for name, rule in _to_ask(tuple(RULES.items()), body.kinds, beside):
        for path, message in rule(body):
            yield Problem(rule=name, path=path, message=message)


@lru_cache(maxsize=256)  # requests hold few combinations of types, and the same ones again and again
def _to_ask(rules: tuple[tuple[str, Rule], ...], kinds: frozenset[str], beside: bool) -> tuple[tuple[str, Rule], ...]:
    """Of `rules`, those that have something to look at where the messages hold blocks of these types."""
    asked = rules if beside else [one for one in rules if one[0] not in BESIDE_MESSAGES]
    return tuple([(name, rule) for name, rule in asked if has_to_look(rule, kinds)])


def _parts(params: Any, named: set[str]) -> tuple[Mapping[str, Any], set[str]]:
    """A request of a conversation: its body, and its betas beside those named already."""
    if not (hasattr(params, "body") and hasattr(params, "betas")):
        remedy = "give what messages.create takes, or a request of a conversation, chat.request(3)"
        raise InvalidOption(f"params={params!r:.60}: {remedy}", option="params", value=params)
    return params.body, {*params.betas, *named}


def _read(params: Mapping[str, Any], *, betas: Collection[str], card: ModelCard | None, version: str) -> Body:
    """Lay the SDK's call options onto the body, as the SDK would before sending."""
    sent = {name: value for name, value in params.items() if name not in CALL_OPTIONS}
    sent |= as_mapping(params.get("extra_body")) or {}
    headers = {str(key).lower(): str(value) for key, value in (as_mapping(params.get("extra_headers")) or {}).items()}
    named = {beta.strip() for beta in headers.get("anthropic-beta", "").split(",")} - {""}
    return read(
        sent,
        card=card or _card(sent.get("model")),
        betas={*betas, *map(str, items(params.get("betas"))), *named},
        version=headers.get("anthropic-version", version),
    )


def _card(model: object) -> ModelCard:
    if not isinstance(model, str) or not model:
        return LENIENT
    return card_of(model) if base_name(model) in TABLE else replace(LENIENT, id=model)
