"""Conversations kept as trees: every message names its parent, edits and regenerated answers are branches.

`branches` gives the paths from the root to the leaves: the one that the source takes for the conversation, or each. It
knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sash.errors import InvalidOption
from sash.formats.legality import HistoryProblem
from sash.formats.values import ImportedConversation
from sash.model.values import counted

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class TreeBranch(Generic[M]):
    """One path through a tree, from the root on."""

    id: str
    """the conversation's, with a number for all but the one that the source shows"""
    messages: tuple[M, ...]
    notes: tuple[HistoryProblem, ...] = ()
    """how many messages stand on branches that are not read"""


def check_branches(branches: str) -> None:
    """Raise InvalidOption for another word than "last" and "all"."""
    if branches not in ("last", "all"):
        raise InvalidOption(f"branches is 'last' or 'all', not {branches!r}", option="branches", value=branches)


def tree_branches(
    id: str, nodes: Mapping[str, tuple[str | None, M]], shown: str | None, branches: str
) -> Iterator[TreeBranch[M]]:
    """The paths of a tree whose nodes name their parents, in order of their leaves; the one shown stands last.

    `shown`: the leaf that the source shows; where it names none, or one that is not there, the last in order.
    """
    followed = {parent for parent, _ in nodes.values()}
    leaves = [name for name in nodes if name not in followed] or list(nodes)[-1:]
    last = shown if shown in nodes else next(reversed(leaves), None)
    if last is None:
        return
    paths = [_path(leaf, nodes) for leaf in leaves if leaf != last]
    main = _path(last, nodes)
    if branches == "all":
        for number, path in enumerate(paths, 1):
            yield TreeBranch(f"{id}#{number}", tuple(nodes[name][1] for name in path))
    elsewhere = {name for path in paths for name in path} - set(main)
    notes = (left_on_branches(len(elsewhere)),) if elsewhere and branches != "all" else ()
    yield TreeBranch(id, tuple(nodes[name][1] for name in main), notes)


def _path(leaf: str, nodes: Mapping[str, tuple[str | None, M]]) -> Sequence[str]:
    found: dict[str, None] = {}
    name: str | None = leaf
    while name is not None and name in nodes and name not in found:
        found[name] = None
        name = nodes[name][0]
    return list(reversed(found))


def those_that_speak(
    found: Iterable[ImportedConversation], id: str, title: object
) -> Iterator[ImportedConversation | HistoryProblem]:
    """The conversations of a tree that hold a turn, or a remark that none does."""
    silent = True
    for one in found:
        if one.turns:
            silent = False
            yield one
    if silent:
        yield HistoryProblem(text=f"the conversation {id} ({title or 'without a title'}) says nothing; left out")


def left_out_of(counts: Mapping[str, int]) -> tuple[HistoryProblem, ...]:
    """The remark on what was left out of a conversation, counted by what it is; none where that is nothing."""
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return (HistoryProblem(text=f"left out: {told}"),) if told else ()


def left_on_branches(turns: int) -> HistoryProblem:
    """The remark on what stands on branches that are not read."""
    are = "is" if turns == 1 else "are"
    told = f"{counted(turns, 'turn')} on other branches {are} left out"
    return HistoryProblem(text=f"{told}; --branches all (branches='all') reads them too")
