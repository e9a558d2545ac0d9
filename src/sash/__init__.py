"""sash: a memory for Claude chatbots.

Every turn kept in SQLite; every request within its token budget, legal, and close to the least it could
cost. Start at `Conversation`; the parts behind it are in `sash.planning`, `sash.flows` and `sash.stores`.
"""

from typing import TYPE_CHECKING, Any

from sash import conversation, errors, stores
from sash.claude.functions import tool
from sash.claude.memory import async_memory_tool, memory_tool
from sash.conversation import Conversation
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
from sash.stores import open_store

if TYPE_CHECKING:
    from sash import lab, simulator
    from sash.conversation import AsyncConversation
    from sash.conversation.fit import Fitted, fit
    from sash.stores import MemoryStore, SqliteStore

__all__ = [
    "AsyncConversation",
    "ClearedTools",
    "Conversation",
    "Count",
    "Economic",
    "Everything",
    "File",
    "Fitted",
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
    "async_memory_tool",
    "card",
    "check_request",
    "errors",
    "fit",
    "lab",
    "memory_tool",
    "simulator",
    "tool",
]

__version__ = "0.1.0"

open = open_store
"""`sash.open(path)`; `import *` leaves Python's own."""


def __getattr__(name: str) -> Any:
    """What is imported when it is first named: most programs never name it."""
    if name == "AsyncConversation":
        return conversation.AsyncConversation
    if name in ("fit", "Fitted"):
        return getattr(_load_fit(), name)
    if name in ("MemoryStore", "SqliteStore"):
        return getattr(stores, name)
    if name == "simulator":
        return _load_simulator()
    if name == "lab":
        return _load_lab()
    raise AttributeError(f"module 'sash' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is imported late, too: editors, notebooks and `help` look here."""
    return sorted({*globals(), *__all__})


def _load_fit() -> Any:
    from sash.conversation import fit  # noqa: PLC0415 - who keeps a record plans with it

    return fit


def _load_simulator() -> Any:
    import sash.simulator  # noqa: PLC0415 - half of the time that `import sash` would take

    return sash.simulator


def _load_lab() -> Any:
    import sash.lab  # noqa: PLC0415 - reading and replaying recordings is no part of a chat

    return sash.lab
