"""What every parser of foreign conversations gives: frozen conversations, turns and questions.

Content is kept verbatim as lists of API blocks. A history that the API would refuse is kept whole and its
faults are listed by `ImportedConversation.problems`; nothing is repaired in silence. Times are unix seconds.
It knows no file, no format and no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sash.formats.legality import HistoryProblem, faults

Block = dict[str, Any]
Role = Literal["user", "assistant", "system"]
ROLES: tuple[Role, ...] = ("user", "assistant", "system")


def text_block(text: str) -> Block:
    """One text block."""
    return {"type": "text", "text": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTurn:
    """One API message of a foreign record."""

    role: Role
    content: list[Block]
    """The blocks as the source has them. Treat as read-only."""
    at: float | None = None
    """Unix seconds, or None where the source tells no time."""
    id: str | None = None
    """The id the source gives it; questions refer to it."""
    speaker: str | None = None
    usage: Mapping[str, Any] | None = None
    """The API's usage, as received with this message."""
    model: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What else the source says, by its own names."""

    @property
    def text(self) -> str:
        """Its text blocks, one per line."""
        return "\n".join(block["text"] for block in self.content if block.get("type") == "text")

    @property
    def plain(self) -> bool:
        """Whether it opens an exchange: a user turn that carries no tool result."""
        return self.role == "user" and not any(block.get("type") == "tool_result" for block in self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something the conversation can be asked afterwards."""

    text: str
    answer: str | None
    """The right answer; None: the conversation does not tell."""
    evidence: tuple[str, ...] = ()
    """Ids of the turns that hold the answer."""
    category: str = ""
    trap: str | None = None
    """The wrong answer that the question leads to, where it is meant to mislead."""
    rubric: tuple[str, ...] = ()
    """What a good answer does, where the source spells it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedConversation:
    """One foreign conversation, in order."""

    id: str
    turns: tuple[ImportedTurn, ...]
    title: str | None = None
    system: str | list[Block] | None = None
    tools: tuple[Block, ...] = ()
    questions: tuple[Question, ...] = ()
    notes: tuple[HistoryProblem, ...] = ()
    """What the parser could not take over as it stood."""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[HistoryProblem, ...]:
        """All that stands between this history and a legal request, and what the parser could not take over."""
        return self.notes + self.faults

    @property
    def faults(self) -> tuple[HistoryProblem, ...]:
        """All that stands between this history and a legal request."""
        return faults([(turn.role, turn.content) for turn in self.turns])

    @property
    def tools_called(self) -> tuple[Block, ...]:
        """A definition for every tool that is called here, in order of first use; inputs are left open.

        Most sources do not keep theirs. Requests may hold tool blocks without them; a simulator that is to call the
        same tools again, as in a demo, needs them.
        """
        known = {tool.get("name") for tool in self.tools}
        called = [block["name"] for turn in self.turns for block in turn.content if block.get("type") == "tool_use"]
        unknown = dict.fromkeys(name for name in called if name not in known)
        return self.tools + tuple({"name": name, "input_schema": {"type": "object"}} for name in unknown)


def with_notes(
    found: Iterable[ImportedConversation], notes: Sequence[HistoryProblem]
) -> tuple[ImportedConversation, ...]:
    """The conversations of a file, the first of them with what is to be said about the file."""
    first, *rest = found
    return (replace(first, notes=(*notes, *first.notes)), *rest)
