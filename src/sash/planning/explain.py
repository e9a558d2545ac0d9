"""A plan in words, and as JSON values for the record.

Reads a plan, decides nothing. Tokens with their provenance, dollars with their parts. No message text
goes into `why`, which is stored and may be logged; into `text` none but the words by which a turn was recalled.
"""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Any

from sash.model.cards import Ttl, lasting, supposition
from sash.model.values import counted
from sash.planning.cache.breakpoints import CLEARED, STABLE, UNCHANGED
from sash.planning.planned import Planned
from sash.planning.situation import CHEAP


def text(plan: Planned) -> str:
    """The plan in a few lines."""
    lines = (
        _supposed(plan),
        _what(plan),
        _held(plan),
        _elsewhere(plan),
        _recalled(plan),
        _why(plan),
        _cleared(plan),
        _size(plan),
        _cache(plan),
        _rejected(plan),
        *plan.notes,
        plan.memory and f"{plan.memory}.",
    )
    return "\n".join(filter(None, lines))


def _supposed(plan: Planned) -> str:
    """What is to be known of a model that nobody described."""
    return f"{supposition(plan.situation.card)}." if plan.situation.card.supposed else ""


def _what(plan: Planned) -> str:
    situation, decision = plan.situation, plan.decision
    first = situation.exchanges[decision.first_exchange].first
    left = first - 1 - len([turn for turn in plan.turns if turn.seq < first])
    if left <= 0 and not plan.epoch.summary and not plan.epoch.relief:
        return f"Everything said so far is sent: {counted(len(plan.numbered), 'message')}, {plan.kept:,} tokens."
    shown = counted(len(situation.exchanges) - decision.first_exchange, "newest question")
    also = filter(None, (_summarised(plan), _pinned(plan)))
    stays = f" {counted(left, 'older turn')} {'is' if left == 1 else 'are'} not sent, but kept." if left > 0 else ""
    sent = ", ".join((f"the {shown} with all that followed ({plan.kept:,} tokens)", *also))
    return f"Sends {sent}: {counted(len(plan.numbered), 'message')}.{stays}"


def _summarised(plan: Planned) -> str:
    return f"a summary of the turns up to {plan.epoch.summary.upto}" if plan.epoch.summary else ""


def _pinned(plan: Planned) -> str:
    return counted(len(plan.epoch.pinned_seqs), "pinned question") if plan.epoch.pinned_seqs else ""


NAMED = 8
"""Recalled turns, and turns of results that leave, named with their reasons."""


def _recalled(plan: Planned) -> str:
    if plan.attachment is None:
        return ""
    sources = [one for one in plan.attachment.sources if one.recalled]
    if not sources:
        return ""
    named = "; ".join(f"turn {one.seq} ({one.why})" for one in sources[:NAMED])
    more = f"; and {len(sources) - NAMED} more" if len(sources) > NAMED else ""
    return f"Recalled with the newest turn, {plan.attachment.tokens:,} tokens: {named}{more}."


def _held(plan: Planned) -> str:
    held = [str(one.seq) for one in plan.attachment.sources if one.instructs] if plan.attachment else []
    turns = "turns" if held[1:] else "turn"
    return f"Quoted with the newest turn, as asked to hold: from {turns} {', '.join(held)}." if held else ""


def _elsewhere(plan: Planned) -> str:
    told = Counter(one.place for one in plan.attachment.sources if one.elsewhere) if plan.attachment else Counter()
    named = "; ".join(f"{counted(number, 'turn')} of {name}" for name, number in told.items())
    return f"Recalled from the user's other conversations: {named}." if told else ""


def _why(plan: Planned) -> str:
    return f"{sentence(_reason(plan))}." if _reason(plan) else ""


def _reason(plan: Planned) -> str:
    return plan.epoch.reason if plan.cut else plan.decision.reason


def sentence(clause: str) -> str:
    """A reason as the beginning of a sentence; a name (a model's id) stays as it is."""
    return clause[:1].upper() + clause[1:] if clause.partition(" ")[0].isalpha() else clause


def _cleared(plan: Planned) -> str:
    """Which results leave with this request, what that saves, and what it would cost to read them again."""
    clearing = plan.decision.clearing
    if clearing is None:
        return ""
    named = "; ".join(
        f"turn {one.seq}, {' and '.join(one.worth.tools)}: {one.worth.why}" for one in clearing.turns[:NAMED]
    )
    more = f"; and {len(clearing.turns) - NAMED} more turns" if len(clearing.turns) > NAMED else ""
    inputs = " and the inputs of their calls" if clearing.inputs else ""
    return (
        f"Results{inputs} that leave, {clearing.tokens:,} tokens ({named}{more}). "
        f"That saves about ${clearing.saves:.4f} with the requests to come; "
        f"to read all of it again would cost about ${clearing.once:.4f}."
    )


def _size(plan: Planned) -> str:
    count, limit = plan.prompt, plan.situation.limit
    source = {
        "usage": "exact up to the last reply, what is new is estimated",
        "endpoint": "counted by the API",
        "estimate": "estimated",
    }[count.source]
    unseen = f"; {ceil(plan.unseen):,} of them for what the API may add" if plan.unseen >= 1 else ""
    unseen = "" if count.source == "endpoint" else unseen
    return (
        f"The prompt takes {count.tokens:,} tokens, at most {count.upper:,} ({source}{unseen}), of {limit:,} allowed."
    )


def _cache(plan: Planned) -> str:
    expected = plan.expected
    dollars = "unknown (no prices for this model)" if expected.dollars is None else f"${expected.dollars:.6f}"
    return (
        f"Its expected price: {dollars}, for {split(expected.read, expected.write, expected.fresh)}. {_cached(plan)}."
    )


def split(read: int, written: int, fresh: int) -> str:
    """The tokens of a prompt by how they are billed, in words."""
    parts = ((read, "read from the cache"), (written, "written to the cache"), (fresh, "at the full price"))
    return ", ".join(f"{tokens:,} {what}" for tokens, what in parts if tokens) or "nothing"


PLACES = {
    "preamble": "tools and system prompt",
    STABLE: "the part of tools and system prompt that stays the same",
    "base": "the messages that stay longest",
    "previous tail": "all up to the last request",
    UNCHANGED: "all before the results that leave",
    CLEARED: "all up to the last of them",
    "new tail": "all of this one",
    "hand": "what you marked yourself",
}
"""What a cache marker of each role keeps, in words."""


def _cached(plan: Planned) -> str:
    """What is kept in the prompt cache for the next request, and for how long."""
    markers, least = plan.sent.markers, plan.situation.card.cache_minimum
    if not markers:
        short = plan.prompt.tokens < least
        return (
            f"Nothing is cached: the model caches prompts of {least:,} tokens or more" if short else "Nothing is cached"
        )
    kept: dict[Ttl, list[str]] = {}
    for marker in markers:
        kept.setdefault(marker.ttl, []).append(PLACES.get(marker.role, marker.role))
    return sentence("; ".join(f"{lasting(ttl)}: {', '.join(dict.fromkeys(what))}" for ttl, what in kept.items()))


def _rejected(plan: Planned) -> str:
    return f"Next best: {plan.decision.rejected}." if plan.decision.rejected else ""


def why(plan: Planned) -> dict[str, Any]:
    """The decision as plain JSON values."""
    return {
        "rule": plan.decision.rule,
        "reason": _reason(plan),
        "rejected": plan.decision.rejected,
        "strategy": plan.epoch.strategy,
        "cut": plan.cut,
        "budget": plan.situation.budget,
        "keep": plan.situation.keep,
        "kept": plan.kept,
        "source": plan.prompt.source,
        "restless": plan.restless.as_json(),
        "unseen": round(plan.unseen, 1),
        "memory": plan.memory,
        "saves": plan.decision.saves,
        "notes": list(plan.notes),
        **({CHEAP: sorted(plan.situation.cheap)} if plan.situation.cheap else {}),
        "attached": [source.seq for source in plan.attachment.sources] if plan.attachment else [],
    }
