"""A conversation of the record as a plain value, as it was said: what an export writes and a replay reads.

    exported = recorded(store, "support-42")
    text = formats.dump(exported)

Withdrawn turns are left out, since the API would refuse them; of an interrupted one the finished text is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sash.formats import HistoryProblem, ImportedConversation, ImportedTurn
from sash.model.blocks import Block
from sash.model.turns import Turn
from sash.model.values import counted
from sash.model.window import Head
from sash.planning.rules import sendable
from sash.stores import Store

PAGE = 500
"""Turns read at a time."""


def recorded(
    store: Store, id: str, *, namespace: str = "", progress: Callable[[int], None] = lambda _: None
) -> ImportedConversation:
    """The conversation with its system prompt, tools and title; what was left out stands in its notes.

    `progress` is told of turns as they are read. Raises NotFound.
    """
    head = store.branches.open(namespace=namespace, id=id, create=False)
    turns = list(_turns(store, head, progress))
    preamble = head.epoch.preamble if head.epoch else head.brought
    withdrawn = sum(turn.state == "withdrawn" for turn in turns)
    text = f"{counted(withdrawn, 'withdrawn turn')} left out: the API would refuse what they hold"
    return ImportedConversation(
        id=id,
        title=store.describe(id, namespace=namespace).title,
        system=list(preamble.system_blocks) or None,
        tools=tuple(preamble.tool_list),
        turns=tuple(_turn(turn, blocks) for turn in turns if (blocks := _blocks(turn))),
        notes=(HistoryProblem(text=text),) if withdrawn else (),
    )


def _turns(store: Store, head: Head, progress: Callable[[int], None]) -> Iterator[Turn]:
    for after in range(0, head.seq, PAGE):
        page: Sequence[Turn] = store.turns.read(head.conversation, after=after, limit=PAGE)
        yield from page
        progress(len(page))


def _blocks(turn: Turn) -> list[Block]:
    """What may be sent of a turn: nothing of a withdrawn one, the finished text of an interrupted one."""
    if turn.state == "withdrawn":
        return []
    return list(sendable(turn.blocks, interrupted=turn.state == "interrupted"))


def _turn(turn: Turn, blocks: list[Block]) -> ImportedTurn:
    return ImportedTurn(role=turn.role, content=blocks, at=turn.at, speaker=turn.speaker)
