"""What pages and API show of a conversation, asked of the store: values, no HTTP. For any number of turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sash.conversation import AsyncConversation
from sash.errors import CallerError
from sash.inspect.window import WindowPart, planned_parts
from sash.model.turns import Turn
from sash.planning.plan import Plan
from sash.stores.store import DatabaseStore

GO_ON = "Go on."
"""What is supposed to be said next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWindow:
    """What the next request would hold; `plan` None where it cannot be planned, and why not."""

    plan: Plan | None
    parts: list[WindowPart]
    trouble: str = ""

    @property
    def budget(self) -> int:
        """The most tokens it may have; 0 where nothing was planned."""
        return self.plan.situation.budget if self.plan else 0


async def next_request(chat: AsyncConversation) -> PlannedWindow:
    """Plan it for a short question, and take it apart. Raises NotFound."""
    try:
        plan = await chat.plan(GO_ON)
    except CallerError as error:
        await chat.history(limit=0)  # a conversation that is not there is no trouble with a plan
        return PlannedWindow(plan=None, parts=[], trouble=str(error))
    return PlannedWindow(plan=plan, parts=planned_parts(plan, "a short question is supposed here"))


def turns_before(store: DatabaseStore, conversation: int, before: int | None, limit: int) -> Sequence[Turn]:
    """Turns of the present branch whose seq is below `before` (None: the newest), oldest first."""
    if before is None:
        return store.turns.read(conversation, limit=limit, newest=True)
    first = max(0, before - 1 - limit)
    return store.turns.read(conversation, after=first, limit=before - 1 - first) if before > 1 else []
