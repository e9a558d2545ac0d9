"""A plan in words, as JSON values for the record, and as a strip for notebooks.

Reads a plan, decides nothing. Tokens with their provenance, dollars with their parts. No message text
goes into `why`, which is stored and may be logged; into `text` none but the words by which a turn was recalled.
"""

from __future__ import annotations

from html import escape
from math import ceil
from typing import Any

from sash.model.cards import supposition
from sash.planning.planned import Planned


def text(plan: Planned) -> str:
    """The plan in a few lines."""
    lines = (
        _supposed(plan),
        _what(plan),
        _recalled(plan),
        _why(plan),
        _size(plan),
        _cache(plan),
        _rejected(plan),
        *plan.notes,
    )
    return "\n".join(filter(None, lines))


def _supposed(plan: Planned) -> str:
    """What is to be known of a model that nobody described."""
    return f"{supposition(plan.situation.card)}." if plan.situation.card.supposed else ""


def _what(plan: Planned) -> str:
    situation, decision = plan.situation, plan.decision
    shown = len(situation.exchanges) - decision.start
    first = situation.exchanges[decision.start].first
    pins = f" and {len(plan.epoch.pins)} pinned" if plan.epoch.pins else ""
    summary = f"a summary of the turns up to {plan.epoch.summary.upto}, " if plan.epoch.summary else ""
    left = f"; {first - 1} older turns stay in the record" if first > 1 else "; nothing is left out"
    return (
        f"Sends {len(plan.numbered)} messages: {summary}{shown} exchanges{pins} ({plan.kept:,} tokens verbatim){left}."
    )


NAMED = 8
"""Recalled turns named with their reasons."""


def _recalled(plan: Planned) -> str:
    if plan.attached is None:
        return ""
    sources = plan.attached.sources
    named = "; ".join(f"turn {one.seq} ({one.why})" for one in sources[:NAMED])
    more = f"; and {len(sources) - NAMED} more" if len(sources) > NAMED else ""
    return f"Recalled with the newest turn, {plan.attached.tokens:,} tokens: {named}{more}."


def _why(plan: Planned) -> str:
    kind = "a new epoch begins" if plan.cut else "the view grows at its end"
    return f"Rule '{plan.decision.rule}': {kind}, because {plan.epoch.reason if plan.cut else plan.decision.reason}."


def _size(plan: Planned) -> str:
    count, limit = plan.prompt, plan.situation.limit
    source = {
        "usage": "the last request's exact size plus an estimate of what is new",
        "endpoint": "counted by the API",
        "estimate": "estimated",
    }[count.source]
    unseen = f"; {ceil(plan.unseen):,} of it allowed for what is added unseen" if plan.unseen >= 1 else ""
    unseen = "" if count.source == "endpoint" else unseen
    return f"Prompt {count.tokens:,} tokens, at most {count.upper:,} ({source}{unseen}), of {limit:,} allowed."


def _cache(plan: Planned) -> str:
    expected = plan.expected
    marked = ", ".join(f"{marker.role} {marker.ttl}" for marker in plan.sent.markers) or "no markers"
    dollars = "unknown (no prices for this model)" if expected.dollars is None else f"${expected.dollars:.6f}"
    return (
        f"Expected: {expected.read:,} read from the cache, {expected.write:,} written, {expected.fresh:,} fresh; "
        f"prompt {dollars}. Markers: {marked}."
    )


def _rejected(plan: Planned) -> str:
    return f"Not taken: {plan.decision.rejected}." if plan.decision.rejected else ""


def why(plan: Planned) -> dict[str, Any]:
    """The decision as plain JSON values."""
    return {
        "rule": plan.decision.rule,
        "reason": plan.epoch.reason if plan.cut else plan.decision.reason,
        "rejected": plan.decision.rejected,
        "strategy": plan.epoch.strategy,
        "cut": plan.cut,
        "budget": plan.situation.budget,
        "keep": plan.situation.keep,
        "kept": plan.kept,
        "source": plan.prompt.source,
        "restless": plan.restless.as_json(),
        "unseen": round(plan.unseen, 1),
        "notes": list(plan.notes),
        "attached": [source.seq for source in plan.attached.sources] if plan.attached else [],
    }


def strip(plan: Planned) -> str:
    """The window as a strip of blocks in proportion to their tokens, cached ones dark."""
    fixed, front = plan.situation.fixed.tokens, plan.situation.front
    parts = [("preamble", fixed - front), *([("summary, pins, instructions", front)] if front else [])]
    parts += [(f"turns {e.first}-{e.last}", e.tokens) for e in plan.situation.exchanges[plan.decision.start :]]
    parts += [("recalled", plan.situation.recalled.tokens)] if plan.attached else []
    return _bar(parts, plan.expected.read) + f"<pre style='white-space:pre-wrap'>{escape(text(plan))}</pre>"


def _bar(parts: list[tuple[str, int]], read: int) -> str:
    total = sum(tokens for _, tokens in parts) or 1
    cells, position = [], 0
    for name, tokens in parts:
        position += tokens
        color = "#8d6e63" if name == "preamble" else "#90caf9"
        shade = "brightness(.75)" if position <= read else "none"
        title = f"{name}: {tokens:,} tokens, {'read from the cache' if position <= read else 'written or fresh'}"
        cells.append(
            f"<div title='{escape(title)}' style='flex:{max(tokens, total // 400)};background:{color};"
            f"filter:{shade};border-right:1px solid #fff'></div>"
        )
    return f"<div style='display:flex;height:24px;width:100%'>{''.join(cells)}</div>"
