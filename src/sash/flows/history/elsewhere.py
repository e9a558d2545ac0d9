"""What answers a question in the user's other conversations: the few that hold its words are searched as its own is."""

from __future__ import annotations

from collections.abc import Collection
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
    if settings.scope != "user" or not chat.user or not query:
        return []
    most = settings.tokens // 2
    found: list[Found] = []
    for place, (key, name) in enumerate(_others(chat, query)):
        there = replace(chat, conversation=key, id=name)
        said = recall(there, query, replace(settings, tokens=max(1, most), scope="conversation"), model)
        found += [
            replace(one, conversation=name, score=one.score / (1 + place))
            for one in said
            if one.score >= GOOD and one.turn.id not in without
        ]
    size, zone = exact(chat.counter), settings.timezone
    return list(first_within(_once(found), most, lambda some: size(quoted_elsewhere(some, zone))))


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
