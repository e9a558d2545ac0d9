"""Anthropic's memory tool, backed by a store: `memory_tool` for sync programs, `async_memory_tool` for async ones.

    chat.run("I take my coffee black.", tools=[sash.memory_tool(store, user="ann")])

What Claude keeps there is the user's, in every conversation; each version of a file stays in the record. The tool
passes to the SDK's own tool runner as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sash.errors import InvalidOption
from sash.flows.tools.memory_files import changes, run_command
from sash.model.fitting import check_fit
from sash.model.users import check_user
from sash.stores import Store


@dataclass(frozen=True, kw_only=True)
class _Files:
    """The files of one user in a store."""

    store: Store
    user: str
    namespace: str
    clock: Callable[[], float]

    def run(self, given: Any) -> str:
        """Carry out one call of the tool in one transaction. Raises ToolFailed and StoreErrors."""
        command, files = partial(run_command, given=given), self.store.memory_files
        if not changes(given):
            return files.look(command, user=self.user, namespace=self.namespace)
        return files.change(command, user=self.user, namespace=self.namespace, at=self.clock())


def memory_tool(store: Store, *, user: str, namespace: str = "", clock: Callable[[], float] = time.time) -> Any:
    """The memory tool of one user, for `tools=[...]` of `Conversation.run` and of the SDK's tool runner.

    `store`: an open store (`sash.open(path)`), which stays yours to close; `user`: whose files these are;
    `namespace`: the tenant; `clock`: tells unix seconds.
    Claude views, creates, edits, renames and deletes text files below `/memories`:
    at most 1,000 of them, each of 100,000 characters. Raises InvalidOption for what cannot be.
    """
    return _load_tools().MemoryTool(_files(store, user, namespace, clock).run)


def async_memory_tool(store: Store, *, user: str, namespace: str = "", clock: Callable[[], float] = time.time) -> Any:
    """The same for `AsyncConversation.run` and the SDK's async tool runner. See `memory_tool`."""
    return _load_tools().AsyncMemoryTool(_files(store, user, namespace, clock).run)


def _files(store: Store, user: str, namespace: str, clock: Callable[[], float]) -> _Files:
    if isinstance(store, type) or not hasattr(store, "memory_files"):
        raise InvalidOption(
            f"store={store!r:.60}: give an open store, sash.open(path); close it when the tool is no longer used",
            option="store",
            value=store,
        )
    check_user(user)
    check_fit("namespace", namespace, str)
    return _Files(store=store, user=user, namespace=namespace, clock=clock)


def _load_tools() -> Any:
    """The tools, whose bases are the SDK's."""
    from sash.claude import memory_tool as made  # noqa: PLC0415

    return made
