"""Recordings: conversations of any known source, with what a comparison needs of them.

`read` takes what `sash import` takes, by content, and beside it bare traces and sash's own records. A `Recording` holds
the conversation (words, questions) where the source has it, and gives its trace (times and sizes) for a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from sys import maxsize
from typing import Any, overload

from sash import formats
from sash.conversation.exports import recorded
from sash.errors import InvalidOption
from sash.formats import ImportedConversation, LeftOut, PathOrPaths, Question, Recognised, SourcedConversation
from sash.formats.scanning import Progress
from sash.model.values import counted
from sash.replay import Trace, loads, of_conversation
from sash.replay.readers import counter
from sash.stores import open_store
from sash.stores.urls import is_url

SHOWN = 10
"""Recordings, and remarks, that are shown of many."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Recording:
    """A recorded conversation, or a bare trace."""

    name: str
    """Of its file, and of the conversation where that holds several."""
    source: str
    """The file, or the URL of the record."""
    format: str
    """One of `sash.formats.FORMATS`, "trace" (bare), or "sash"."""
    conversation: ImportedConversation | None = None
    """Its words; None for a bare trace, which has none."""
    bare: Trace | None = None

    def __repr__(self) -> str:
        held = f"{len(self.bare.calls):,} requests, no words" if self.bare is not None else self._words()
        return f"<Recording {self.name!r}: {self.format}, {held}>"

    def _words(self) -> str:
        assert self.conversation is not None
        turns, asked = len(self.conversation.turns), len(self.questions)
        return counted(turns, "turn") + (f", {counted(asked, 'question')}" if asked else "")

    def trace(self, model: str | None = None) -> Trace:
        """When requests came and what each added, counted for `model` where the source's usage does not tell."""
        if self.bare is not None:
            return self.bare
        assert self.conversation is not None
        return of_conversation(self.conversation, count=counter(model), name=self.name)

    @property
    def questions(self) -> tuple[Question, ...]:
        """What it can be asked afterwards, where the source says so."""
        return self.conversation.questions if self.conversation else ()


@dataclass(frozen=True, slots=True, repr=False)
class Recordings(Sequence[Recording]):
    """What was read, in order, and what was left out."""

    recordings: tuple[Recording, ...]
    left_out: tuple[LeftOut, ...] = ()

    def __repr__(self) -> str:
        shown = [
            *map(repr, self.recordings[:SHOWN]),
            *([f"... {len(self) - SHOWN:,} more"] if len(self) > SHOWN else []),
        ]
        passed = [f"left out: {one}" for one in self.left_out[:SHOWN]]
        head = f"{counted(len(self), 'recording')}, {counted(len(self.left_out), 'remark')}"
        return "\n".join([head, *shown, *passed])

    def __len__(self) -> int:
        return len(self.recordings)

    @overload
    def __getitem__(self, index: int) -> Recording: ...
    @overload
    def __getitem__(self, index: slice) -> Recordings: ...
    def __getitem__(self, index: int | slice) -> Recording | Recordings:
        if isinstance(index, slice):
            return Recordings(self.recordings[index], self.left_out)
        return self.recordings[index]

    def traces(self, model: str | None = None) -> tuple[Trace, ...]:
        """The trace of each."""
        return tuple(one.trace(model) for one in self)


def read(
    paths: PathOrPaths,
    *,
    branches: str | None = None,
    format: str | None = None,
    conversations: Sequence[str] = (),
    namespace: str = "",
    progress: Progress = lambda _: None,
) -> Recordings:
    """All recordings in files, folders, globs, archives and records of sash's own (a file or a PostgreSQL URL).

    The format is found by content, unless `format` names it. `branches`: "all" gives each branch of a conversation as
    a recording of its own. `conversations` and `namespace` choose from a record of sash's. `progress` is told how many
    bytes more were read.
    Raises InvalidImport where a named file cannot be read or nothing can; InvalidOption; StoreErrors.
    """
    found = list(
        stream(
            paths,
            branches=branches,
            format=format,
            conversations=conversations,
            namespace=namespace,
            progress=progress,
        )
    )
    return Recordings(
        tuple(one for one in found if isinstance(one, Recording)),
        tuple(one for one in found if isinstance(one, LeftOut)),
    )


def stream(
    paths: PathOrPaths,
    *,
    branches: str | None = None,
    format: str | None = None,
    conversations: Sequence[str] = (),
    namespace: str = "",
    progress: Progress = lambda _: None,
) -> Iterator[Recording | LeftOut]:
    """The same one by one, for what does not fit into memory."""
    if isinstance(paths, str) and is_url(paths):
        yield from _recorded(paths, conversations, namespace)
        return
    for one in formats.recognise(paths, format, branches):
        if isinstance(one, LeftOut):
            yield one
        elif one.format == formats.SASH:
            yield from _recorded(str(one.file), conversations, namespace)
        elif conversations:
            problem = f"conversations are chosen from a record of sash's own, and {one.file} is none"
            raise InvalidOption(problem, option="conversations", value=conversations)
        else:
            yield from _foreign(one, progress)


def _recorded(where: str, conversations: Sequence[str], namespace: str) -> Iterator[Recording | LeftOut]:
    with closing(_open(where, namespace)) as store:
        for id in conversations or [info.id for info in store.conversations(namespace=namespace, limit=maxsize)]:
            found = recorded(store, id, namespace=namespace)
            yield recording_of(found, name=id, source=where, format=formats.SASH)


def _open(where: str, namespace: str) -> Any:
    return open_store(where if is_url(where) else Path(where), namespace)


def _foreign(one: Recognised, progress: Progress) -> Iterator[Recording | LeftOut]:
    source = str(one.file)
    if one.format == formats.BARE:
        bare = loads(one.file.text(), name=one.file.stem)
        yield Recording(name=one.file.stem, source=source, format=one.format, bare=bare)
        return
    for name, found in _named(formats.contents(one, progress), one.file.stem):
        yield found if isinstance(found, LeftOut) else recording_of(found, name=name, source=source, format=one.format)


def _named(
    contents: Iterator[SourcedConversation | LeftOut], stem: str
) -> Iterator[tuple[str, ImportedConversation | LeftOut]]:
    """Each conversation with a name: that of its file, and its own where the file holds several."""
    held: list[ImportedConversation] = []
    alone = True
    for one in contents:
        if isinstance(one, LeftOut):
            yield "", one
            continue
        alone = alone and not held
        yield from ((f"{stem}/{found.id}", found) for found in held)
        held = [one.conversation]
    yield from ((stem if alone else f"{stem}/{found.id}", found) for found in held)


def recording_of(found: ImportedConversation, *, name: str, source: str, format: str) -> Recording | LeftOut:
    """The recording; what asks nothing is none."""
    if not any(turn.role == "user" for turn in found.turns):
        return LeftOut(path=source, text=f"{name}: nobody asks anything in it, so there is nothing to replay")
    return Recording(name=name, source=source, format=format, conversation=found)
