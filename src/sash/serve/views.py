"""What pages and API show of a conversation, asked of the store: values, no HTTP. For any number of turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sash.conversation import AsyncConversation
from sash.conversation.workers import worker
from sash.errors import CallerError
from sash.inspect.window import WindowPart, window_parts
from sash.model.counts import Count
from sash.model.turns import Turn
from sash.planning.plan import Plan
from sash.stores.store import DatabaseStore
from sash.types import Content

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


async def next_request(store: DatabaseStore, chat: AsyncConversation, content: Content = GO_ON) -> PlannedWindow:
    """Plan it, and take it apart. Raises NotFound."""
    try:
        plan = await chat.plan(content)
    except CallerError as error:
        await chat.history(limit=0)  # a conversation that is not there is no trouble with a plan
        return PlannedWindow(plan=None, parts=[], trouble=str(error))
    return PlannedWindow(plan=plan, parts=await worker(partial(planned_parts, store, chat, plan)))


def planned_parts(store: DatabaseStore, chat: AsyncConversation, plan: Plan) -> list[WindowPart]:
    """The parts of a planned request; sizes are the record's where it has them."""
    key = store.branches.open(namespace=chat.namespace, id=chat.id, create=False).conversation
    loaded = store.windows.read(key, model=plan.sent.model, preamble=None)
    fixed = plan.situation.fixed.tokens - plan.situation.front
    preamble = Count(fixed, fixed, "estimate", "") if plan.epoch.preamble.system or plan.epoch.preamble.tools else None
    sent = loaded.last.sent.last if loaded.last else 0
    cached = 0 if not plan.expected.read else 1 if plan.cut else sent
    return window_parts(plan.epoch, plan.turns, loaded.counts, loaded.preamble_count or preamble, cached)


def turns_before(store: DatabaseStore, conversation: int, before: int | None, limit: int) -> Sequence[Turn]:
    """Turns of the present branch whose seq is below `before` (None: the newest), oldest first."""
    if before is None:
        return store.turns.read(conversation, limit=limit, newest=True)
    first = max(0, before - 1 - limit)
    return store.turns.read(conversation, after=first, limit=before - 1 - first) if before > 1 else []
