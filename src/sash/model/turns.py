"""Turns and exchanges: one API message as recorded, and the unit that trimming moves.

An exchange is a plain user turn and all that follows up to the next plain user turn; a cut falls only
between exchanges. Turns are frozen; their content is the exact JSON text that was or will be sent.
`seq` counts the turns along a branch from 1; a fork goes on counting where it left its parent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sash.model.blocks import Block, parsed, readable, without_white_space
from sash.model.usage import Usage
from sash.model.values import short

Role = Literal["user", "assistant", "system"]
State = Literal["answered", "pending", "interrupted", "withdrawn"]
"""answered; pending (429, 5xx, timeout, crash: `retry()` sends it, a new `send` keeps it in front);
interrupted (a reply cut short); withdrawn (refused or rejected: in the record, not in the view)."""

INSTRUCTION = "instruction"
"""Why an older turn is quoted that says what the user wants kept to."""
ELSEWHERE = "elsewhere"
"""How it begins why a turn of another conversation is quoted."""
_PLACE = re.compile(rf"""{ELSEWHERE}, in ((['"])(?:\\.|[^\\])*?\2): """)
PROFILE = "profile"
"""Why a turn, of whatever conversation, is quoted that says what holds of the user."""


def why_elsewhere(conversation: str, why: str) -> str:
    """Why a turn of the conversation with this id is quoted in another; `why`: what it was found by."""
    return f"{ELSEWHERE}, in {conversation!r}: {why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An older turn that an attachment quotes."""

    turn: int
    """id"""
    seq: int
    """in the conversation it was said in; 0 for what stands in the user's profile"""
    why: str
    """what it was found by"""

    @property
    def instructs(self) -> bool:
        """Whether it is quoted for what the user asked to hold, and not for what a question asks."""
        return self.why == INSTRUCTION

    @property
    def profiled(self) -> bool:
        """Whether it is quoted for what is known of the user."""
        return self.why == PROFILE

    @property
    def elsewhere(self) -> bool:
        """Whether it was said in another conversation of the user: its seq counts there, not here."""
        return self.why.startswith(ELSEWHERE)

    @property
    def place(self) -> str:
        """The id, in quotation marks, of the other conversation it was said in; "" for this one."""
        said = _PLACE.match(self.why)
        return said[1] if said else ""

    @property
    def recalled(self) -> bool:
        """Whether it is a turn of this conversation that is quoted for what a question asks."""
        return not (self.instructs or self.profiled or self.elsewhere)


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What is sent with a user turn in front of its own content: older turns, quoted. Recorded with the turn."""

    content: str
    """the exact JSON text of the blocks"""
    tokens: int
    """what they take, as estimated when they were attached"""
    sources: tuple[Source, ...]
    """in the order in which they were said"""

    @cached_property
    def blocks(self) -> list[Block]:
        """The content, parsed. Treat it as read-only."""
        return parsed(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedElsewhere:
    """What the request behind a reply used that was sent by another program: it is told apart from our own."""

    key: str
    """what its source calls the request; told again, also for another conversation, it counts once"""
    model: str
    usage: Usage
    wire: str
    """the JSON text of the usage, as the source has it"""
    cost: float | None
    """dollars; None where nobody knows the prices"""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A turn about to be recorded: its role and the JSON text of its blocks."""

    role: Role
    content: str
    form: str | None = None
    """The JSON text of the blocks that are sent in its place; None: it is sent as it is recorded."""
    origin: int | None = None
    """The id of the turn that this one repeats (`regenerate`) or replaces (`edit`)."""
    at: float | None = None
    """When it was said, in unix seconds; None: when it is recorded (imports know better)."""
    speaker: str | None = None
    attachment: Attachment | None = None
    source: tuple[str, ...] = ()
    """What a foreign record calls its parts, so that none is recorded twice (imports)."""
    used: UsedElsewhere | None = None
    """Of a reply that came to another program: what its request used there (imports)."""

    @cached_property
    def blocks(self) -> list[Block]:
        """The content, parsed. Treat it as read-only."""
        return parsed(self.content)

    @cached_property
    def plain(self) -> bool:
        """Whether it opens an exchange: a user turn that says something and carries no tool result."""
        said = without_white_space(self.blocks) if self.role == "user" else []
        return bool(said) and not any(block.get("type") == "tool_result" for block in said)


@dataclass(frozen=True, kw_only=True, repr=False)
class Turn:
    """One turn of the record."""

    id: int
    branch: int
    seq: int
    role: Role
    plain: bool
    state: State
    content: str
    at: float
    origin: int | None = None
    speaker: str | None = None
    attachment: Attachment | None = None
    """what recall sent with it, until the next cut"""
    model: str = ""
    """which model replied; "" where the user speaks, or nobody knows"""
    mended: str | None = None
    """the JSON text of the blocks that are sent in its place, since a repair or (results too long) from the start;
    None: it is sent as it came"""

    def __repr__(self) -> str:
        return f"Turn(id={self.id}, seq={self.seq}, {self.role}, {self.state}, text={short(self.text)})"

    @cached_property
    def blocks(self) -> list[Block]:
        """What is sent of it, parsed. Treat it as read-only."""
        return parsed(self.content if self.mended is None else self.mended)

    def parsed_as(self, blocks: list[Block]) -> Turn:
        """The same turn, given what its form was parsed to before: it is not parsed again."""
        vars(self)["blocks"] = blocks
        return self

    @property
    def form(self) -> str:
        """The JSON text of what is sent of it: its content, or what a repair made of that."""
        return self.content if self.mended is None else self.mended

    @property
    def recorded(self) -> list[Block]:
        """What was recorded of it, parsed, whatever is sent of that. Treat it as read-only."""
        return self.blocks if self.mended is None else parsed(self.content)

    @property
    def text(self) -> str:
        """What a person would read of it."""
        return readable(self.blocks)

    @property
    def opens(self) -> bool:
        """Whether an exchange begins here."""
        return self.plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A run of whole turns that trimming keeps or drops together. Sizes are tokens."""

    first: int
    """seq of its plain user turn"""
    last: int
    """seq of its last turn so far"""
    tokens: int
    upper: int
    """Tokens that it will not exceed, at the counter's stated coverage."""
    requests: int = 1
    """API requests it took so far (a tool run reads its prefix once for each)."""
    at: float = 0.0
    """When its user turn was said, in unix seconds."""
    open: bool = False
    """Its last assistant turn has tool calls without results: no cut may fall before it closes."""


def spoken(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The turns of user and assistant: an instruction may stand anywhere in the record, and answers nothing."""
    return tuple(turn for turn in turns if turn.role != "system")


def last_spoken(turns: Sequence[Turn]) -> Turn | None:
    """The newest turn of user or assistant; None where there is none."""
    for turn in reversed(turns):
        if turn.role != "system":
            return turn
    return None


def by_exchange(turns: Iterable[Turn]) -> list[list[Turn]]:
    """Group turns by exchange, in order. Turns before the first plain user turn form a group of their own."""
    groups: list[list[Turn]] = []
    for turn in turns:
        if turn.opens or not groups:
            groups.append([])
        groups[-1].append(turn)
    return groups


def as_turns(drafts: Iterable[Draft], head: int, now: float, state: State = "pending") -> tuple[Turn, ...]:
    """New turns behind the turn `head`, as a plan takes them: not recorded yet."""
    return tuple(_as_turn(draft, seq, now, state) for seq, draft in enumerate(drafts, head + 1))


def _as_turn(draft: Draft, seq: int, now: float, state: State) -> Turn:
    turn = Turn(
        id=0,
        branch=0,
        seq=seq,
        role=draft.role,
        plain=draft.plain,
        state=state,
        content=draft.content,
        at=now,
        mended=draft.form,
    )
    return turn.parsed_as(draft.blocks) if draft.form is None else turn


@dataclass(frozen=True, kw_only=True)
class Mended:
    """What is sent of a turn from now on, in the place of its content, which stays as it came."""

    turn: int
    """id"""
    content: str
    """the exact JSON text of the blocks"""
    plain: bool
    """whether it opens an exchange in this form"""
    sources: tuple[int, ...] = ()
    """ids of other turns whose words it says"""
