"""The port: what a store must do. For flows that is `sash.flows.record.Record`; what people and the command line ask
about many conversations comes here. The same holds for all of it: each method is one transaction, from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from sash.flows.profile import Profile
from sash.flows.record import Record
from sash.model.memory_files import Folder, MemoryFile

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationInfo:
    """One row of a listing. Times are unix seconds."""

    id: str
    namespace: str
    user: str = ""
    """whose it is; "" for nobody's"""
    title: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: float
    updated_at: float
    turns: int
    requests: int
    dollars: float
    """of the requests whose price is known"""
    unpriced: int = 0
    """requests whose price nobody knows; they are not in `dollars`"""
    model: str = ""
    """the one in force; "" before the first request"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What became of a conversation that was deleted."""

    turns: int
    """turns that are gone"""
    heirs: tuple[str, ...] = ()
    """ids of the forks that its shared turns belong to now"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was removed of a user."""

    conversations: int
    turns: int
    files: int
    """memory files"""
    entries: int
    """of the profile, those that no longer held included"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was deleted because nobody went on with it for longer than it is kept."""

    conversations: int
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One search result: where it is, and the words around the match."""

    conversation: str
    turn: int
    seq: int
    role: str
    at: float
    snippet: str
    score: float
    """bm25 of SQLite's FTS5: the smaller the better"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRow:
    """Cuts of all conversations."""

    cuts: int
    for_price: int
    """those that left out what would have fitted the budget"""
    saved: float
    """dollars that these were to save"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Usage summed over a group of requests. Tokens and dollars."""

    group: tuple[str, ...]
    requests: int
    fresh: int
    read: int
    written: int
    output: int
    dollars: float
    """of the requests whose price is known"""
    unpriced: int = 0
    """requests whose price nobody knows; they are not in `dollars`"""

    @property
    def prompt(self) -> int:
        """All prompt tokens."""
        return self.fresh + self.read + self.written

    @property
    def cached_share(self) -> float:
        """The share of the prompt read from the cache, 0 to 1."""
        return self.read / self.prompt if self.prompt else 0.0


class UserFiles(Protocol):
    """Files that Claude keeps about users by its memory tool: each change is a new version."""

    def look(self, ask: Callable[[Folder], R], *, user: str, namespace: str = "") -> R:
        """What `ask` finds out about a user's files."""
        ...

    def change(self, edit: Callable[[Folder], R], *, user: str, namespace: str = "", at: float) -> R:
        """Let `edit` change a user's files: all that it does or, if it raises, nothing. `at`: unix seconds."""
        ...

    def files(self, *, user: str, namespace: str = "") -> Sequence[MemoryFile]:
        """A user's files as they stand, by path."""
        ...

    def versions(self, path: str, *, user: str, namespace: str = "") -> Sequence[MemoryFile]:
        """All versions of a file, the oldest first. Raises InvalidOption for a path outside the root."""
        ...

    def users(self, *, namespace: str = "") -> Mapping[str, int]:
        """Who has files -> how many, by name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """How a database stands in one matter."""

    about: str
    text: str
    good: bool = True
    """whether nothing is lost by it"""


class Store(Record, Protocol):
    """Where the record lives."""

    @property
    def memory_files(self) -> UserFiles:
        """What Claude wrote down about users."""
        ...

    def conversations(
        self,
        *,
        namespace: str = "",
        user: str | None = None,
        title: str | None = None,
        model: str | None = None,
        tag: str | None = None,
        dollars: float | None = None,
        limit: int = 50,
        before: ConversationInfo | None = None,
    ) -> Sequence[ConversationInfo]:
        """Conversations, the newest used first; `before` (the last one of a page) pages on.

        Of a user; with `title` in id or title; on a model; with a tag (in the list `tags` of their metadata); that
        cost at least so many dollars. None: all.
        """
        ...

    def describe(
        self, id: str, *, namespace: str = "", title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> ConversationInfo:
        """Set title and app metadata (None: leave as it is). Raises NotFound."""
        ...

    def delete(self, id: str, *, namespace: str = "", reason: str = "") -> Deleted:
        """Remove a conversation with all that was made of it; audited with `reason`. Raises NotFound.

        Turns that forks of it show belong to the oldest fork from then on. What it cost stays in the sums.
        """
        ...

    def forget_user(self, user: str, *, namespace: str = "", reason: str = "") -> Forgotten:
        """Remove a user: conversations, memory files, what was booked; audited with `reason`, without the name.

        Forks that belong to other users keep the past they share. Raises NotFound for one who left nothing here.
        """
        ...

    def retain(self, namespace: str = "", *, days: float | None) -> None:
        """Keep conversations of a namespace until nobody went on with them for so many days; None: for good.

        `prune` goes by it, and workers keep it. Raises InvalidOption.
        """
        ...

    def retained(self, namespace: str = "") -> float | None:
        """For how many days `retain` said that conversations are kept; None: for good."""
        ...

    def prune(
        self,
        namespace: str = "",
        *,
        days: float | None = None,
        user: str | None = None,
        reason: str = "",
        now: float | None = None,
    ) -> Pruned:
        """Delete, as `delete` does, the conversations (of a user) that nobody went on with for so many days.

        `days`: else what `retain` said. `now`: a unix time, else that of the clock. One that is being written to stays.
        Raises InvalidOption.
        """
        ...

    def profile(self, user: str, *, namespace: str = "") -> Profile:
        """What a user said of themselves that holds. Raises InvalidOption for what names no user."""
        ...

    def search(
        self,
        query: str,
        *,
        namespace: str = "",
        user: str | None = None,
        conversation: str | None = None,
        limit: int = 20,
    ) -> Sequence[Hit]:
        """Full-text search over turns: all, a user's, a conversation's. Words are matched whatever signs they hold."""
        ...

    def usage(
        self,
        *,
        by: Sequence[str] = ("day", "model"),
        namespace: str = "",
        user: str | None = None,
        conversation: str | None = None,
        since: str = "",
        most: int | None = None,
    ) -> Sequence[UsageRow]:
        """Tokens and dollars grouped by any of day, model, conversation, user.

        `since`: a day as "2026-11-30", from which on. `most`: only so many groups, the dearest first.
        """
        ...

    def dearest(self, *, namespace: str = "", limit: int = 20) -> Sequence[ConversationInfo]:
        """The conversations that cost most, the dearest first."""
        ...

    def users(self, *, namespace: str = "", after: str = "", limit: int = 50) -> Sequence[str]:
        """Who left a conversation, a memory file or an entry in a profile, by name; `after` pages on."""
        ...

    def cuts(self, *, namespace: str = "") -> CutRow:
        """How often old turns left the view, and how often for the price alone."""
        ...

    def __enter__(self) -> Self:
        """`with sash.open(path) as store: ...` closes it at the end."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Close it; further calls raise ConversationClosed."""
        ...


PARTS = frozenset(name for kind in (Record, Store) for name, part in vars(kind).items() if isinstance(part, property))
"""The names of a store's parts."""
