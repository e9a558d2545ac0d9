"""What goes into a job and what comes out of it, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sash.errors import InvalidOption
from sash.model.replies import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question: `content` as `Conversation.send` takes it; `id`, the conversation to ask it in (None: its own)."""

    content: Any
    id: str | None = None

    def __post_init__(self) -> None:
        if self.id is not None and (not isinstance(self.id, str) or not self.id):
            raise InvalidOption(f"id is a non-empty text, not {self.id!r:.60}", option="id", value=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one item: a reply, or the error that came instead; neither while it waits in a batch."""

    position: int
    """of the item in its job, from 0"""
    id: str
    """the conversation that holds it"""
    reply: Reply | None = None
    error: Exception | None = None

    @property
    def waiting(self) -> bool:
        """Whether it was handed in as a batch that has not ended."""
        return self.reply is None and self.error is None

    @property
    def text(self) -> str:
        """The text of the reply; "" where there is none."""
        return self.reply.text if self.reply else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is."""

    done: int
    failed: int
    total: int
    dollars: float
    """spent by this run so far"""


def as_items(given: Iterable[Any], job: str) -> list[tuple[Item, str]]:
    """The items, each with the id of its conversation. Raises InvalidOption for two that share one."""
    if isinstance(given, str | bytes):
        raise InvalidOption("items is a list of questions, not one text", option="items", value=None)
    items = [item if isinstance(item, Item) else Item(content=item) for item in given]
    named = [(item, item.id or f"{job}/{position:06d}") for position, item in enumerate(items)]
    names = [name for _, name in named]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidOption(
            f"two items in conversation {twice!r}: items are independent, each in a conversation of its own",
            option="items",
            value=twice,
        )
    return named
