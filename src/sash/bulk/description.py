"""What a job is: which questions, recorded where, asked under which settings. The ways to ask them build on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sash.bulk.items import Item
from sash.conversation import AsyncConversation
from sash.conversation.session import Session
from sash.model.cards import ModelCard, card
from sash.stores import Store


@dataclass(frozen=True, kw_only=True)
class Description:
    """A job as it was given. `items` are in order, each with the id of its conversation; `clock` gives unix seconds."""

    id: str
    namespace: str
    items: Sequence[tuple[Item, str]]
    store: Store
    settings: Mapping[str, Any]
    """of the items' conversations"""
    clock: Callable[[], float]
    card: ModelCard
    """the model that is asked"""

    def token(self, position: int) -> str:
        """What tells an item apart in the record."""
        return f"{self.id}:{position}"

    def card_of(self, model: str) -> ModelCard:
        """The card of a model that an item was asked of."""
        return self.card if model == self.card.id else card(model)

    def chat_of(self, client: Any) -> Callable[[str], AsyncConversation]:
        """Makes the conversations that the items are asked in."""

        def chat_of(name: str) -> AsyncConversation:
            return AsyncConversation(self.store, id=name, namespace=self.namespace, client=client, **self.settings)

        return chat_of

    def session_of(self, name: str, client: Any) -> Session:
        """The session of one of them, for what needs no conversation."""
        return Session(self.store, id=name, namespace=self.namespace, client=client, **self.settings)
