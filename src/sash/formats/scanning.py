"""Files, folders and archives into conversations: the one way in, for every command and for `sash.lab`.

    for found in scan("exports/"):
        ...                          # a SourcedConversation, or a LeftOut that names what was not read, and why

One file that cannot be read is an error; in a folder, a glob or an archive it is a remark, and the rest is read.
Conversations come one by one, so a list or lines of gigabytes are read in constant memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sash.errors import InvalidImport
from sash.formats.files import LeftOut, PathOrPaths, SourceFile, find, left_out, named
from sash.formats.legality import HistoryProblem
from sash.formats.members import Members
from sash.formats.reading import Field, invalid, members_of
from sash.formats.registry import (
    BARE,
    FORMATS,
    SASH,
    Format,
    Read,
    check_options,
    format_named,
    no_conversation,
    recognised,
    recognised_beginning,
    recognised_tables,
)
from sash.formats.values import ImportedConversation

Progress = Callable[[int], None]
"""Is told how many bytes more were read."""

_TOLD = 3
"""Files named in the error, where none could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedConversation:
    """A conversation, and where it comes from."""

    conversation: ImportedConversation
    format: str = ""
    """one of `FORMATS`; "" where it was not read from a file"""
    file: SourceFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A file whose format is known: one of `FORMATS`, or `BARE`, or `SASH`."""

    file: SourceFile
    format: str
    branches: str | None = None
    """which of its branches are read, where it has some; None: the one that its format takes for the conversation"""

    def conversations(self, progress: Progress = lambda _: None) -> Read:
        """What it holds, one by one. Raises InvalidImport where it cannot be read, or holds sizes alone."""
        if self.format == BARE:
            raise invalid(str(self.file), "a bare trace, sizes and times without words: sash replay reads it")
        if self.format == SASH:
            problem = "a database of sash itself: open it, or export its conversations (sash export)"
            raise invalid(str(self.file), problem)
        format = format_named(self.format)
        yield from _checked(self._read(format, progress, _options(format, self.branches)), str(self.file))

    def _read(self, format: Format, progress: Progress, options: dict[str, Any]) -> Read:
        if format.rows is not None:
            yield from _rows(format.rows, self.file, options)
            progress(self.file.size)
        elif format.each is not None and self._apart(format):
            yield from _each(format.each, Members(self.file, progress), options)
        else:
            yield from format.parse(self.file.text(), path=str(self.file), **self._companions(format), **options)
            progress(self.file.size)

    def _apart(self, format: Format) -> bool:
        members = Members(self.file)
        sample = members.sample()
        return format.apart(members_of(sample) if members.shape == "list" else sample)

    def _companions(self, format: Format) -> dict[str, str]:
        if self.file.member:
            return {}
        places = {option: self.file.path.with_name(name) for option, name in format.beside.items()}
        return {option: SourceFile(path=place).text() for option, place in places.items() if place.is_file()}


def _each(read: Callable[..., Read], members: Members, options: dict[str, Any]) -> Read:
    """Value by value; one that is not of the format is left out and named, unless that is all there is."""
    good, faults, number = False, list[InvalidImport](), 0
    for value in members:
        if isinstance(value, HistoryProblem):
            yield value
            continue
        for one in _members_of(value, members):
            number += 1
            try:
                yield from read(one, number, **options)
                good = True
            except InvalidImport as error:
                faults.append(error)
                yield HistoryProblem(text=f"entry {number} is left out: {error}")
    if faults and not good:
        raise faults[0]


def _members_of(value: Field, members: Members) -> Iterable[Field]:
    return value.each() if members.shape == "whole" and isinstance(value.value, list) else (value,)


def _rows(read: Callable[..., Read], file: SourceFile, options: dict[str, Any]) -> Read:
    with file.database() as db:
        db.row_factory = sqlite3.Row
        yield from read(db, str(file), **options)


def _checked(read: Read, path: str) -> Read:
    """The same. Raises InvalidImport where there was no conversation."""
    remarks: list[HistoryProblem] = []
    found = False
    for one in read:
        found = found or isinstance(one, ImportedConversation)
        if isinstance(one, HistoryProblem):
            remarks.append(one)
        if found:
            yield from remarks
            remarks.clear()
            if isinstance(one, ImportedConversation):
                yield one
    if not found:
        raise no_conversation(path, remarks)


def recognise(
    paths: PathOrPaths, format: str | None = None, branches: str | None = None
) -> Iterator[Recognised | LeftOut]:
    """The files that are meant, each with its format (`format`, where given), and what is none.

    Raises InvalidImport where a named file is of no known format, or where there is nothing to read at all;
    InvalidOption for an unknown format, and for `branches` of one that has none.
    """
    if format is not None:
        check_options(format_named(format), ["branches"] if branches else [])
    passed: list[LeftOut] = []
    found = False
    names = named(paths)
    for file in find(names):
        one = file if isinstance(file, LeftOut) else _recognised(file, format, branches)
        if isinstance(one, Recognised):
            found = True
        elif one is not None:
            passed.append(one)
        if one is not None:
            yield one
    if not found:
        told = "; ".join(map(str, passed[:_TOLD]))
        raise invalid(", ".join(names), f"nothing that can be read: {told}")


def _recognised(file: SourceFile, format: str | None, branches: str | None) -> Recognised | LeftOut | None:
    """The file with its format, or why it is left out; None for what belongs to a file beside it."""
    try:
        return Recognised(file=file, format=format or _format_of(file), branches=branches)
    except InvalidImport as error:
        if file.given:
            raise
        if any(file.path.name in known.beside.values() for known in FORMATS.values()):
            return None
        return left_out(error, file)


def _format_of(file: SourceFile) -> str:
    if file.kind == "sqlite":
        return recognised_tables(file.tables(), str(file))
    if file.kind == "page" and (name := recognised_beginning(file.beginning)):
        return name
    return recognised(Members(file).sample(), str(file))


def scan(
    paths: PathOrPaths,
    format: str | None = None,
    *,
    branches: str | None = None,
    progress: Progress = lambda _: None,
) -> Iterator[SourcedConversation | LeftOut]:
    """All conversations of files, folders, globs and archives, one by one, and a remark for each thing left out.

    `branches`: "all" gives each branch of a conversation as one of its own, where the source keeps them.
    Raises InvalidImport where a named file cannot be read, or where nothing can.
    """
    for one in recognise(paths, format, branches):
        yield from [one] if isinstance(one, LeftOut) else contents(one, progress)


@dataclass
class Scan:
    """The conversations of files, folders, globs and archives, read anew each time that it is gone through.

    What was left out the last time stands in `left_out`. For arguments and errors see `scan`.
    """

    paths: PathOrPaths
    format: str | None = None
    branches: str | None = None
    progress: Progress = lambda _: None
    left_out: list[LeftOut] = field(default_factory=list)

    def __iter__(self) -> Iterator[SourcedConversation]:
        self.left_out = []
        for one in scan(self.paths, self.format, branches=self.branches, progress=self.progress):
            if isinstance(one, LeftOut):
                self.left_out.append(one)
            else:
                yield one


def contents(one: Recognised, progress: Progress = lambda _: None) -> Iterator[SourcedConversation | LeftOut]:
    """The conversations of a file, and what was left out of it. Raises InvalidImport for a named one that cannot be."""
    try:
        for found in one.conversations(progress):
            if isinstance(found, HistoryProblem):
                yield LeftOut(path=str(one.file), text=found.text)
            else:
                yield SourcedConversation(conversation=found, format=one.format, file=one.file)
    except InvalidImport as error:
        if one.file.given:
            raise
        yield left_out(error, one.file)


def _options(format: Format, branches: str | None) -> dict[str, str]:
    """The options of a format's reader. Of a source without branches, "all" is the one there is.

    Raises InvalidOption for another word where the format has no branches.
    """
    if branches is None or (branches == "all" and "branches" not in format.options):
        return {}
    check_options(format, ["branches"])
    return {"branches": branches}
