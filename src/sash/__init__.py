"""sash: a memory for Claude chatbots.

Every turn kept in SQLite; every request within its token budget, legal, and close to the least it could
cost. Start at `Conversation`; the parts behind it are in `sash.planning`, `sash.flows` and `sash.stores`.
"""

from sash import errors, simulator
from sash.conversation import AsyncConversation, Conversation
from sash.errors import SashError
from sash.model.cards import ModelCard, card
from sash.model.counts import Count
from sash.model.files import File
from sash.model.replies import Reply
from sash.model.turns import Turn
from sash.planning.plan import Plan
from sash.planning.rules import check_request
from sash.planning.situation import Marks
from sash.planning.strategies import (
    ClearedTools,
    Economic,
    Everything,
    ServerCompaction,
    SlidingWindow,
    SteppedWindow,
    Summarised,
)
from sash.recall import Recall
from sash.stores import MemoryStore, SqliteStore
from sash.stores import open_store as open  # noqa: A004 - `sash.open(path)` is how people say it

__all__ = [
    "AsyncConversation",
    "ClearedTools",
    "Conversation",
    "Count",
    "Economic",
    "Everything",
    "File",
    "Marks",
    "MemoryStore",
    "ModelCard",
    "Plan",
    "Recall",
    "Reply",
    "SashError",
    "ServerCompaction",
    "SlidingWindow",
    "SqliteStore",
    "SteppedWindow",
    "Summarised",
    "Turn",
    "card",
    "check_request",
    "errors",
    "open",
    "simulator",
]

__version__ = "0.1.0"
