"""Whether to make a summary now, before a cut needs it: what the next request would do, and what it would be worth.

The strategy itself is asked about two next requests: one that comes while the cache lives, one that comes after it
died. Where the chance of a cut times its saving passes what the summary costs, it is worth making. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sash.model.cards import TTL_SECONDS, Ttl
from sash.model.turns import Exchange
from sash.model.usage import Usage
from sash.planning.economics import rates
from sash.planning.plan import Plan
from sash.planning.situation import Decision, Situation, Size, Warmth
from sash.planning.strategies.summarised import BREAKER, Summarised
from sash.planning.summaries.cost import SummaryRequest

LATER = 2.0 * TTL_SECONDS["1h"]
"""Seconds after which no cache lives."""
READS = 20.0
"""How many further requests a saving is counted for at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRequest:
    """One way in which the next request may come, and what a cut would save there. Dollars."""

    decision: Decision
    likely: float
    leaving: int
    saving: float


def ahead(plan: Plan, usage: Usage, own: Summarised, recalled: int = 0) -> SummaryRequest | None:
    """The summary to make after a reply that used `usage`; None while none is worth making.

    `recalled`: tokens that may be quoted in front of the next question.
    """
    if not own.ahead or _barred(plan.situation):
        return None
    situation = _next(plan, usage, own, recalled)
    chances = [chance for chance in _chances(situation, own) if chance.leaving > 0]
    if not chances:
        return None
    furthest = max(chances, key=lambda chance: chance.decision.first_exchange)
    making = own.making(situation, leaving=furthest.leaving)
    expected = sum(chance.likely * chance.saving for chance in chances)
    forced = any(chance.decision.rule == "must" for chance in chances)
    if not forced and situation.card.prices and expected <= making.dollars:
        return None
    upto = situation.exchanges[furthest.decision.first_exchange - 1].last
    return None if _tried(situation, upto) else SummaryRequest(upto=upto, method=making.method)


def _barred(situation: Situation) -> bool:
    """Whether somebody is at it, or it went wrong and has to wait."""
    return situation.trouble.retry_at > situation.now


def _tried(situation: Situation, upto: int) -> bool:
    """Whether the same turns were tried often enough: not again until others join them."""
    return situation.trouble.failures >= BREAKER and upto <= situation.trouble.upto


def _next(plan: Plan, usage: Usage, own: Summarised, recalled: int) -> Situation:
    """The situation of the next plain request, with an exchange of the usual size and what is recalled for it."""
    situation, start = plan.situation, plan.decision.first_exchange
    *older, newest = situation.exchanges[start:]
    said = max(0, usage.output - usage.thinking)
    newest = replace(newest, last=newest.last + 1, tokens=newest.tokens + said, upper=newest.upper + said, open=False)
    usual = max(1, sum(e.tokens for e in (*older, newest)) // (len(older) + 1))
    coming = Exchange(first=newest.last + 1, last=newest.last + 1, tokens=usual, upper=usual)
    prompt = usage.prompt + said + usual
    room = own.room(situation)
    return own.priced(
        replace(
            situation,
            exchanges=(*older, newest, coming),
            first_exchange=0,
            forced="",
            stay=Size(tokens=prompt, upper=prompt),
            pinned_exchanges=frozenset(index - start for index in situation.pinned_exchanges if index >= start),
            results=(),
            budget=max(1, situation.budget - room),
            reserve=min(recalled, max(0, situation.budget - room - situation.keep - situation.fixed.upper)),
            warmth=_warmth(plan, usage),
            learned=plan.decision.learned or situation.learned,
        )
    )


def _warmth(plan: Plan, usage: Usage) -> Warmth:
    now, ttl = plan.situation.now, _ttl(plan)
    return Warmth(
        preamble_until=now + TTL_SECONDS[ttl],
        preamble_ttl=ttl,
        tail_until=now + TTL_SECONDS[ttl],
        tail_ttl=ttl,
        tail_tokens=usage.read + usage.write,
    )


def _ttl(plan: Plan) -> Ttl:
    return next((marker.ttl for marker in reversed(plan.sent.markers) if marker.place == "turn"), "5m")


def _chances(situation: Situation, own: Summarised) -> Iterator[NextRequest]:
    """The next request while the cache lives, and after it died."""
    alive = situation.gaps.chance(situation.warmth.tail_ttl)
    again = min(READS, alive / (1.0 - alive))
    prompt = situation.prompt(0).tokens
    for likely, later, anew in ((alive, 1.0, 0.0), (1.0 - alive, LATER, 1.0)):
        coming = replace(situation, now=situation.now + later)
        decision = own.inner.decide(coming)
        leaving = coming.kept(min(coming.covered, decision.first_exchange)) - coming.kept(decision.first_exchange)
        saving = 0.0
        if situation.card.prices:
            _, read, write = rates(situation.card.price(prompt))
            saving = leaving * (anew * write[situation.warmth.tail_ttl] + again * read)
        yield NextRequest(decision=decision, likely=likely, leaving=leaving, saving=saving)
