"""Which key a request goes with: the conversation's own, until it is refused or limited; then the next.

Moving within a workspace costs nothing; elsewhere the cache is cold, and that price is looked at first. What happened
stands in the reply's notes. Knows keys by their names alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sash.errors import AccessDenied, CallerError, LimitReached, RemoteError, Unavailable
from sash.flows.prepare import prepare
from sash.flows.steps import Flow, KeyHealth, Now, ReadHead, ReadKeyHealth
from sash.flows.talk import Chat
from sash.model.keys import Held, Places
from sash.model.replies import Reply
from sash.model.turns import Draft
from sash.planning.inputs import Settings

Make = Callable[[Chat, Sequence[Draft], Settings], Flow[Reply]]
REFUSED = (401, 402, 403)
REFUSED_RESTS = 10.0
"""How many times longer a key rests that was refused: somebody has to mend it."""


def keyed(chat: Chat, drafts: Sequence[Draft], settings: Settings, make: Make) -> Flow[Reply]:
    """The reply of `make` with the first key that is taken. Raises what the last one met."""
    places = chat.places
    if places is None:
        return (yield from make(chat, drafts, settings))
    ahead = list((yield from _order(chat, places, drafts)))
    notes: list[str] = []
    while True:
        name = ahead.pop(0)
        here = held(places, settings, name)
        try:
            reply = yield from make(chat, drafts, here)
        except RemoteError as failed:
            reason = _of_the_key(failed)
            if not reason or not ahead:
                raise
            notes.append(f"key {name!r} was {reason}")
            drafts = ()  # recorded by now: pending
            ahead = yield from _worth_a_move(chat, places, settings, name, ahead, limited=reason == "limited")
            if not ahead:
                raise
        else:
            return replace(reply, notes=(*notes, *([f"sent with key {name!r}"] if notes else ()), *reply.notes))


def held(places: Places, settings: Settings, name: str) -> Settings:
    """The settings of a request that goes with a key."""
    return replace(settings, key=Held(name=name, near=places.near(name), kin=places.kin(name)))


def _order(chat: Chat, places: Places, drafts: Sequence[Draft]) -> Flow[tuple[str, ...]]:
    """The keys to try. A reply that paused goes on with the key that it began with."""
    head = yield from ReadHead(conversation=chat.conversation)
    names = tuple(place.name for place in places.places)
    if not drafts and head.turn is not None and head.turn.role == "assistant" and head.key in names:
        return (head.key,)
    now = yield from Now()
    health: KeyHealth = yield from ReadKeyHealth(
        keys=names, limited_since=now - places.rest, refused_since=now - REFUSED_RESTS * places.rest
    )
    return places.order(head.key, chat.id, health.out)


def _of_the_key(failed: RemoteError) -> str:
    """What a failure says of the key: refused, limited, or nothing."""
    if failed.facts.get("turn") is None:
        return ""
    if isinstance(failed, AccessDenied):
        return "refused" if failed.facts.get("status") in REFUSED else ""
    limited = isinstance(failed, LimitReached) or failed.facts.get("status") == 429
    return "limited" if isinstance(failed, Unavailable) and limited else ""


def _worth_a_move(
    chat: Chat, places: Places, settings: Settings, name: str, ahead: Sequence[str], *, limited: bool
) -> Flow[list[str]]:
    """The keys that are left to try: without those to which moving from a limited one would cost too much."""
    if not limited or places.most is None:
        return list(ahead)
    here = yield from _price(chat, held(places, settings, name))
    kept = []
    for other in ahead:
        there = yield from _price(chat, held(places, settings, other))
        if here is None or there is None or there - here <= places.most:
            kept.append(other)
    return kept


def _price(chat: Chat, settings: Settings) -> Flow[float | None]:
    """Dollars that what is pending would cost with a key, its cache as warm or cold as it is."""
    try:
        prepared = yield from prepare(replace(chat, endpoint=False), (), settings)
    except CallerError:
        return None
    return prepared.plan.expected.dollars
