"""What holds of a user, and what one more statement changes: it repeats an entry, ends some, or came too late.

Pure, so that the record and a plan that writes nothing decide alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from sash.profile.entries import Entry, Kind, Learned
from sash.profile.topics import about, alike, ending_of
from sash.recall.words import runs, words


class Said(Protocol):
    """A statement as far as it matters here."""

    @property
    def kind(self) -> Kind: ...
    @property
    def text(self) -> str: ...
    @property
    def topic(self) -> str: ...


def replaces(newer: Said, older: Said) -> bool:
    """Whether the older of two statements no longer holds, now that the newer was made."""
    over = ending_of(newer.text) if newer.kind == "fact" else None
    if over is not None:
        return over.ends(older.topic, older.text)
    if newer.topic or older.topic or "fact" in (newer.kind, older.kind):
        return newer.topic == older.topic != ""
    return alike(about(newer.text), about(older.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a statement changes."""

    entry: Entry
    """as it stands from now on; without an id where it is new"""
    same: Entry | None = None
    """the entry that said the same before"""
    ends: tuple[Entry, ...] = ()
    """those whose place it takes"""
    late: Entry | None = None
    """a newer one that has its place already"""


class Holding:
    """The entries that hold, by topic."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._topics: dict[str, list[Entry]] = {}
        for entry in entries:
            self._topics.setdefault(entry.topic, []).append(entry)

    @property
    def entries(self) -> list[Entry]:
        """The newest first."""
        held = (entry for entries in self._topics.values() for entry in entries)
        return sorted(held, key=lambda entry: (-entry.at, -entry.id))

    def change(self, said: Learned, *, by: str, at: float, turn: int | None = None) -> Change:
        """What a statement made at `at` (unix seconds), in a turn (id), would change."""
        source = () if turn is None else (turn,)
        if same := self._same(said):
            entry = replace(same, at=max(at, same.at), sources=tuple(sorted({*same.sources, *source})))
            return Change(entry=entry, same=same)
        entry = Entry(id=0, kind=said.kind, text=said.text, topic=said.topic, sources=source, by=by, at=at)
        near = self._near(said)
        ends = tuple(one for one in near if one.at <= at and replaces(said, one))
        return Change(entry=entry, ends=ends, late=next((o for o in near if o.at > at and replaces(o, said)), None))

    def take(self, change: Change) -> None:
        """Let it change."""
        for gone in filter(None, (change.same, *change.ends)):
            self._topics[gone.topic].remove(gone)
        if change.late is None:
            self._topics.setdefault(change.entry.topic, []).append(change.entry)

    def _near(self, said: Learned) -> Sequence[Entry]:
        """Those that it might concern: of its topic, and of topics beneath it."""
        beneath = [topic for topic in self._topics if topic.startswith(f"{said.topic} ")] if said.topic else []
        return [entry for topic in (said.topic, *beneath) for entry in self._topics.get(topic, ())]

    def _same(self, said: Learned) -> Entry | None:
        """The entry that says the same in the same words, whatever their case and signs."""
        alike = _words(said.text)
        held = self._topics.get(said.topic, ())
        return next((one for one in held if one.kind == said.kind and _words(one.text) == alike), None)


@lru_cache(maxsize=4_096)
def _words(text: str) -> tuple[str, ...]:
    return (*words(text), *runs(text))
