"""OpenAssistant message trees, one a line: a prompt, and replies that branch.

`branches="best"` (default) gives one conversation per tree: at each fork the reply of the best rank.
`branches="all"` gives one per path from the root to a leaf, ids `tree#1`, `tree#2`, ... in the file's order.
Turn ids are message ids, so two branches of a tree share those of their common past. Times where given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from sash.errors import InvalidOption
from sash.formats.messages import role_of
from sash.formats.reading import Field, lines
from sash.formats.values import ImportedConversation, ImportedTurn, Role, text_block, with_notes

Branches = Literal["best", "all"]
Branch = tuple[Field, ...]

_ROLES: dict[str, Role] = {"prompter": "user", "assistant": "assistant"}
_META = ("rank", "lang", "synthetic", "model_name", "deleted", "review_result")


def recognises(sample: Sequence[Field]) -> bool:
    """Whether every value is a message tree."""
    return bool(sample) and all(value.has("message_tree_id") and value.has("prompt") for value in sample)


def parse(text: str, *, path: str = "<text>", branches: Branches = "best") -> tuple[ImportedConversation, ...]:
    """The conversations of a file of trees. Raises InvalidImport; InvalidOption for another `branches`."""
    if branches not in ("best", "all"):
        raise InvalidOption(f"branches is 'best' or 'all', not {branches!r}", option="branches", value=branches)
    trees = lines(text, path)
    return with_notes((found for tree in trees for found in _conversations(tree, branches)), trees.damaged)


def _conversations(tree: Field, branches: Branches) -> Iterator[ImportedConversation]:
    name = tree["message_tree_id"].text()
    if branches == "best":
        yield _conversation(name, name, _best(tree["prompt"]))
        return
    for number, branch in enumerate(_paths(tree["prompt"]), 1):
        yield _conversation(f"{name}#{number}", name, branch)


def _conversation(id: str, tree: str, branch: Branch) -> ImportedConversation:
    return ImportedConversation(id=id, turns=tuple(_turn(message) for message in branch), meta={"tree": tree})


def _turn(message: Field) -> ImportedTurn:
    return ImportedTurn(
        role=role_of(message, _ROLES),
        content=[text_block(message["text"].text())],
        at=message["created_date"].time() if message.has("created_date") else None,
        id=message["message_id"].text(),
        model=message.get("model_name"),
        meta={key: message.get(key) for key in _META if message.has(key)},
    )


def _replies(message: Field) -> list[Field]:
    return list(message["replies"].each()) if message.has("replies") else []


def _best(message: Field) -> Branch:
    branch = [message]
    while replies := _replies(branch[-1]):
        branch.append(min(replies, key=lambda reply: reply.get("rank", len(replies))))
    return tuple(branch)


def _paths(root: Field) -> Iterator[Branch]:
    """Every path from the root to a leaf, depth first, in the file's order."""
    open_paths: list[Branch] = [(root,)]
    while open_paths:
        path = open_paths.pop()
        replies = _replies(path[-1])
        if not replies:
            yield path
        open_paths += [(*path, reply) for reply in reversed(replies)]
