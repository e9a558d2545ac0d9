"""A user's profile for programs that `await`, and the tool by which Claude keeps it for the user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from sash.claude.functions import as_tools
from sash.flows.profile import Profile
from sash.profile import Entry, Kind

Ask = Callable[[Callable[[], Any]], Awaitable[Any]]
Action = Literal["list", "remember", "forget"]

_TOOL = """Look at, add to or take from what is remembered about the user across conversations.

    Use it when the user asks what you know about them, or asks you to remember or to forget something.

    Args:
        action: list all entries with their numbers, remember a new one, or forget one
        text: for remember: one statement in the user's words
        entry: for forget: the number of the entry, as list tells it
    """


class AsyncProfile:
    """`sash.flows.profile.Profile` with `await`."""

    def __init__(self, ask: Ask, profile: Callable[[], Profile]) -> None:
        self._ask, self._profile = ask, profile

    async def entries(self) -> Sequence[Entry]:
        """What holds, the newest first."""
        found: Sequence[Entry] = await self._ask(lambda: self._profile().entries())
        return found

    async def history(self) -> Sequence[Entry]:
        """All entries, those that ended included, the newest first."""
        found: Sequence[Entry] = await self._ask(lambda: self._profile().history())
        return found

    async def set(self, text: str, *, kind: Kind = "fact", topic: str | None = None) -> Entry:
        """Keep a statement; what held of the same topic ends. See `Profile.set`."""
        made: Entry = await self._ask(lambda: self._profile().set(text, kind=kind, topic=topic))
        return made

    async def remove(self, entry: Entry | int) -> Entry:
        """End an entry; it stays in the history. Raises NotFound for one that does not hold."""
        ended: Entry = await self._ask(lambda: self._profile().remove(entry))
        return ended


def profile_tool(profile: Callable[[], Profile]) -> Any:
    """The tool, for programs that do not wait."""

    def user_profile(action: Action, text: str = "", entry: int = 0) -> str:
        return profile().by_hand(action, text, entry)

    user_profile.__doc__ = _TOOL
    return as_tools([user_profile])[0]


def async_profile_tool(ask: Ask, profile: Callable[[], Profile]) -> Any:
    """The tool, for programs that `await`."""

    async def user_profile(action: Action, text: str = "", entry: int = 0) -> str:
        return str(await ask(lambda: profile().by_hand(action, text, entry)))

    user_profile.__doc__ = _TOOL
    return as_tools([user_profile])[0]
