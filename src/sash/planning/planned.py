"""The decision for one request, as values. `sash.planning.explain` says it in words."""

# no `annotations` of the future: whoever inherits these fields elsewhere has other names at hand

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sash.model.counts import Count
from sash.model.epochs import Epoch, Expected, Sent
from sash.model.turns import Attachment, Turn
from sash.model.values import copied, short
from sash.planning.cache.restless import Restless
from sash.planning.situation import Decision, Situation
from sash.planning.view import Message, assemble


@dataclass(frozen=True, kw_only=True, repr=False)
class Planned:
    """What is sent, and what it should cost. Nothing has been sent or written; `body` is what would be."""

    epoch: Epoch
    cut: bool
    """whether a new epoch begins with this request"""
    turns: tuple[Turn, ...]
    """everything that is sent after the preamble, oldest first; the new turns have id 0"""
    sizes: Mapping[int, Count] = field(repr=False)
    """of turns as they are sent, by seq, without what is attached"""
    numbered: tuple[tuple[int, Message], ...] = field(repr=False)
    sent: Sent
    prompt: Count
    expected: Expected
    decision: Decision
    situation: Situation = field(repr=False)
    unseen: float = 0.0
    """tokens of the prompt's bound that are allowed for what nobody counts"""
    restless: Restless = field(default_factory=Restless)
    """what changed in front of the messages"""
    doubt: bool = False
    """the budget lies between the estimate and its upper bound, so an exact count could change the decision"""
    memory: str = ""
    """what was chosen to be remembered, in plain words"""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        sizes = f"messages={len(self.numbered)}, tokens={self.prompt.tokens}, upper={self.prompt.upper}"
        return f"{type(self).__name__}(rule={short(self.decision.rule)}, {sizes}, dollars={self.expected.dollars})"

    @cached_property
    def body(self) -> dict[str, Any]:
        """The exact request body, the caller's own to change: nothing is sent otherwise for it."""
        own: dict[str, Any] = copied(self.shared_body)
        return own

    @cached_property
    def shared_body(self) -> Mapping[str, Any]:
        """The same, which shares its messages with the plans before and behind. Treat it as read-only."""
        return assemble(self.epoch, self.numbered, self.sent)

    @property
    def betas(self) -> tuple[str, ...]:
        """What the `anthropic-beta` header will name."""
        return self.sent.betas

    @property
    def attachment(self) -> Attachment | None:
        """What recall sends with the newest question; None for nothing."""
        question = next((turn for turn in reversed(self.turns) if turn.plain), None)
        return question.attachment if question is not None and self.epoch.shows(question) else None

    @property
    def shortened(self) -> bool:
        """Whether turns that the last request sent are not sent any more."""
        return (
            self.situation.first_exchange is not None and self.decision.first_exchange > self.situation.first_exchange
        )

    @property
    def kept(self) -> int:
        """Tokens of exchanges that are sent verbatim."""
        return self.situation.kept(self.decision.first_exchange)
