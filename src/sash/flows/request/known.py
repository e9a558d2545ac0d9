"""What is known of the user from other conversations, to be told where a view begins."""

from __future__ import annotations

from collections.abc import Collection

from sash.flows.context import Context
from sash.flows.profile import Profile
from sash.planning.plan import Plan
from sash.profile import Entry


def tells(chat: Context, plan: Plan) -> bool:
    """Whether a request tells what is known of the user: where its view begins."""
    return bool(chat.user and chat.instructions) and (plan.cut or not plan.epoch.id)


def known(chat: Context, plan: Plan, quoted: Collection[int]) -> list[Entry]:
    """The profile of the conversation's user for a view that begins, without what it holds or quotes (turn ids)."""
    if not tells(chat, plan):
        return []
    shown = {turn.id for turn in plan.turns} | set(quoted)
    entries = Profile(chat.store, chat.user, namespace=chat.namespace).as_read()
    return [entry for entry in entries if not shown.intersection(entry.sources)]
