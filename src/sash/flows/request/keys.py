"""Which key a request goes with: the conversation's own, until it is refused or limited; then the next.

Moving within a workspace costs nothing; elsewhere the cache is cold, and that price is looked at first. What happened
stands in the reply's notes. Knows keys by their names alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sash.errors import AccessDenied, CallerError, LimitReached, RemoteError, Unavailable
from sash.flows.context import Context
from sash.flows.request.attempt import Attempt, Keys, Outcome
from sash.flows.request.prepare import prepare
from sash.flows.steps import Flow, Now
from sash.model.keys import KeyName, KeyPoolView
from sash.model.turns import Draft
from sash.planning.inputs import Settings

REFUSED = (401, 402, 403)
REFUSED_RESTS = 10.0
"""How many times longer a key rests that was refused: somebody has to mend it."""


def with_first_key(attempt: Attempt) -> Flow[Attempt]:
    """The attempt with the key that is tried first."""
    places = attempt.chat.places
    if places is None:
        return attempt
    name, *ahead = yield from _order(attempt.chat, places, attempt.drafts)
    return _with(attempt, places, Keys(name=name, ahead=tuple(ahead)))


def with_another_key(attempt: Attempt, outcome: Outcome) -> Flow[Attempt | None]:
    """The attempt with the next key, where the one before was refused or limited; None where that is no way on."""
    places, keys = attempt.chat.places, attempt.keys
    reason = _of_the_key(outcome) if isinstance(outcome, RemoteError) else ""
    if places is None or keys is None or not reason or not keys.ahead:
        return None
    ahead = yield from _worth_a_move(attempt, places, keys, limited=reason == "limited")
    if not ahead:
        return None
    moved = Keys(name=ahead[0], ahead=ahead[1:], said=(*keys.said, f"key {keys.name!r} was {reason}"))
    return _with(replace(attempt, drafts=(), form=None, pieces=()), places, moved)  # recorded by now: pending


def _with(attempt: Attempt, places: KeyPoolView, keys: Keys) -> Attempt:
    return replace(attempt, settings=held(places, attempt.settings, keys.name), keys=keys)


def held(places: KeyPoolView, settings: Settings, name: str) -> Settings:
    """The settings of a request that goes with a key."""
    return replace(
        settings, key=KeyName(name=name, same_cache=places.same_cache(name), same_account=places.same_account(name))
    )


def _order(chat: Context, places: KeyPoolView, drafts: Sequence[Draft]) -> Flow[tuple[str, ...]]:
    """The keys to try. A reply that paused goes on with the key that it began with."""
    head = chat.store.branches.head(chat.conversation)
    names = tuple(place.name for place in places.scopes)
    if not drafts and head.turn is not None and head.turn.role == "assistant" and head.key in names:
        return (head.key,)
    now = yield from Now()
    out = chat.store.health.keys(
        keys=names, limited_since=now - places.rest, refused_since=now - REFUSED_RESTS * places.rest
    )
    return places.order(head.key, chat.id, out)


def _of_the_key(failed: RemoteError) -> str:
    """What a failure says of the key: refused, limited, or nothing."""
    if failed.facts.get("turn") is None:
        return ""
    if isinstance(failed, AccessDenied):
        return "refused" if failed.facts.get("status") in REFUSED else ""
    limited = isinstance(failed, LimitReached) or failed.facts.get("status") == 429
    return "limited" if isinstance(failed, Unavailable) and limited else ""


def _worth_a_move(attempt: Attempt, places: KeyPoolView, keys: Keys, *, limited: bool) -> Flow[tuple[str, ...]]:
    """The keys that are left to try: without those to which moving from a limited one would cost too much."""
    if not limited or places.most is None:
        return keys.ahead
    here = yield from _price(attempt.chat, attempt.settings)
    kept = []
    for other in keys.ahead:
        there = yield from _price(attempt.chat, held(places, attempt.settings, other))
        if here is None or there is None or there - here <= places.most:
            kept.append(other)
    return tuple(kept)


def _price(chat: Context, settings: Settings) -> Flow[float | None]:
    """Dollars that what is pending would cost with a key, its cache as warm or cold as it is."""
    try:
        prepared = yield from prepare(replace(chat, count_online=False), (), settings)
    except CallerError:
        return None
    return prepared.plan.expected.dollars
