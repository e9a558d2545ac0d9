"""Ids of tool calls in a history from elsewhere: each legal and of its own, results along with their calls.

Another program may number its calls anew in every reply, give them no id, or use characters that the API refuses.
An id that is legal and free stays. A result follows the call that it answers: of the uses of its id so far the
newest, and the first one there that is still unanswered. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sash.model.blocks import Block
from sash.model.ids import free_id
from sash.planning.rules import SERVER_CALLS

_NUMBERED = re.compile(r"(.+)_\d+")


@dataclass
class _Use:
    """One call: its id here, in which run of replies it was made, and whether a result was seen."""

    made: str
    run: int
    answered: bool = False


class CallIds:
    """The calls of one conversation so far."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._uses: dict[tuple[bool, str], list[_Use]] = {}
        self._run = 0
        self._speaker = ""

    def follow(self, role: str, blocks: Sequence[Block]) -> list[Block]:
        """The blocks of the next turn, with ids that are legal and their own."""
        if role == "assistant" and self._speaker != "assistant":
            self._run += 1
        self._speaker = role if role != "system" else self._speaker
        return [self._renamed(block) for block in blocks]

    def _renamed(self, block: Block) -> Block:
        kind = str(block.get("type"))
        if kind == "tool_use" or kind in SERVER_CALLS:
            return {**block, "id": self._call(kind in SERVER_CALLS, _text(block.get("id")))}
        if kind.endswith("tool_result"):
            return {**block, "tool_use_id": self._result(kind != "tool_result", _text(block.get("tool_use_id")))}
        return block

    def _call(self, server: bool, source: str) -> str:
        use = _Use(free_id(source, self._taken), self._run)
        self._taken.add(use.made)
        # A number that was given in an earlier recording: its results still come under the id it had elsewhere.
        base = _NUMBERED.fullmatch(source)
        names = {source, use.made, *([base[1]] if base and base[1] in self._taken else [])}
        for name in names:
            self._uses.setdefault((server, name), []).append(use)
        return use.made

    def _result(self, server: bool, source: str) -> str:
        legal = free_id(source, ())
        uses = self._uses.get((server, source)) or self._uses.get((server, legal)) or []
        open_ones = [use for use in uses if not use.answered]
        if not open_ones:
            return uses[-1].made if uses else legal
        newest = open_ones[-1].run
        use = next(use for use in open_ones if use.run == newest)
        use.answered = True
        return use.made


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def with_legal_ids(turns: Iterable[tuple[str, Sequence[Block]]], before: CallIds | None = None) -> list[list[Block]]:
    """The blocks of turns (role, blocks) with legal ids. `before`: the calls that were recorded earlier."""
    ids = before or CallIds()
    return [ids.follow(role, blocks) for role, blocks in turns]
