"""What is known of the user from other conversations, to be told where a view begins."""

from __future__ import annotations

from collections.abc import Collection

from sash.flows.context import Context
from sash.flows.profile import Profile
from sash.planning.plan import Plan
from sash.profile import Entry


def known(chat: Context, plan: Plan, quoted: Collection[int]) -> list[Entry]:
    """The profile of the conversation's user for a view that begins, without what it holds or quotes (turn ids)."""
    if not chat.user or not (plan.cut or not plan.epoch.id):
        return []
    shown = {turn.id for turn in plan.turns} | set(quoted)
    entries = Profile(chat.store, chat.user, namespace=chat.namespace).entries()
    return [entry for entry in entries if not shown.intersection(entry.sources)]
