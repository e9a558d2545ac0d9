"""What answers a question in the user's other conversations: the few that hold its words are searched as its own is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sash.flows.context import Context
from sash.flows.history.recall import exact, recall
from sash.model.shares import first_within
from sash.recall.query import Query
from sash.recall.quoting import quoted_elsewhere
from sash.recall.settings import Found, Recall

SEARCHED = 4
"""Conversations that are searched: those in which the question's words stand closest together."""
GOOD = 0.5
"""Of the best turn's value in its conversation: what is worth less is not worth the room."""


def recall_elsewhere(
    chat: Context, query: Query, settings: Recall, model: str, *, without: Collection[int] = ()
) -> list[Found]:
    """What answers `query` in other conversations of the user, within half of `settings.tokens`; the best first.

    `without`: ids of turns that are shown or quoted anyway. Nothing where the conversation is nobody's.
    """
    return within_half(chat, search_elsewhere(chat, query, settings, model), settings, without)


def search_elsewhere(chat: Context, query: Query, settings: Recall, model: str) -> list[Found]:
    """All that answers `query` in other conversations of the user, the best first; each within half of the share."""
    if settings.scope != "user" or not chat.user or not query:
        return []
    alone = replace(settings, tokens=max(1, settings.tokens // 2), scope="conversation")
    found: list[Found] = []
    for place, (key, name) in enumerate(_others(chat, query)):
        said = recall(replace(chat, conversation=key, id=name), query, alone, model)
        found += [replace(one, conversation=name, score=one.score / (1 + place)) for one in said if one.score >= GOOD]
    return _once(found)


def within_half(chat: Context, found: Sequence[Found], settings: Recall, without: Collection[int] = ()) -> list[Found]:
    """Of what was found elsewhere as much as takes half of `settings.tokens`, quoted; none of the turns `without`."""
    size, zone = exact(chat.counter), settings.timezone
    left = [one for one in found if one.turn.id not in without]
    return list(first_within(left, settings.tokens // 2, lambda some: size(quoted_elsewhere(some, zone))))


def _others(chat: Context, query: Query) -> list[tuple[int, str]]:
    return list(
        chat.store.index.elsewhere(
            chat.conversation, user=chat.user, namespace=chat.namespace, terms=query.terms, most=SEARCHED
        )
    )


def _once(found: list[Found]) -> list[Found]:
    """The best first; a turn that conversations share, once."""
    best = sorted(found, key=lambda one: -one.score)
    return list({one.turn.id: one for one in reversed(best)}.values())[::-1]
