"""Where recordings lie: files, folders, globs, archives. What each file is, is told by its first bytes.

`find` turns names into `SourceFile`s, those inside a .zip included, and a `LeftOut` for what can hold no conversation.
An archive's members are read as streams and bounded: what expands more than a hundredfold is no recording, but a trap.
It knows no format.
"""

from __future__ import annotations

import glob
import sqlite3
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path, PurePath
from typing import IO, Literal

from sash.errors import InvalidImport, InvalidOption
from sash.formats.reading import decode, invalid

Kind = Literal["json", "sqlite", "zip", "page", "other"]
PathOrPaths = str | PathLike[str] | Iterable[str | PathLike[str]]

_SQLITE = b"SQLite format 3\x00"
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_PACKED = {b"\x1f\x8b": "gzip -d", b"\x28\xb5\x2f\xfd": "zstd -d", b"\xfd7zXZ": "xz -d", b"BZh": "bzip2 -d"}
"""How packed files begin -> what unpacks them."""
_MARKS = ("{", "[")
_PAGE = "<!-- sash-"
"""What Markdown and HTML that carry a conversation have in their first lines."""
_HEAD = 512
"""Bytes that tell what a file is."""
EXPANSION = 100
"""How many times larger than in its archive a file may be; text that people wrote shrinks to a fifth or a tenth."""
SMALL = 16 * 2**20
"""Bytes that a file in an archive may come to in any case."""
EMPTY = "the file is empty"
_NAMED = 3
"""Files of one kind that are named, of those left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file, or a part of one, that was not read, and why."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file that may hold conversations: one on disk, or in an archive there."""

    path: Path
    member: str = ""
    """its name within the archive at `path`"""
    size: int = 0
    """bytes, unpacked"""
    given: bool = False
    """named by the caller, not found in a folder or an archive: what is wrong with it is an error, not a remark"""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def stem(self) -> str:
        """Its name without folder and ending."""
        return PurePath(self.member).stem if self.member else self.path.stem

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its bytes. Raises InvalidImport where they cannot be read, now or later on."""
        try:
            with self._stream() as file:
                yield file
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise invalid(str(self), f"cannot be read: {_reason(error)}") from error

    def _stream(self) -> IO[bytes]:
        if not self.member:
            return self.path.open("rb")
        with zipfile.ZipFile(self.path) as archive:
            return archive.open(self.member)

    def text(self) -> str:
        """All of it, decoded. Raises InvalidImport."""
        with self.open() as file:
            data = file.read()
        return decode(data, str(self))

    @cached_property
    def kind(self) -> Kind:
        """What it is, by its first bytes. Raises InvalidImport where it cannot be read, or has to be unpacked first."""
        if self._in_use:
            return "sqlite"
        head = self._head
        if head.startswith(_SQLITE):
            return "sqlite"
        if head.startswith(_ZIPS):
            return "zip"
        if packed := next((how for mark, how in _PACKED.items() if head.startswith(mark)), None):
            raise invalid(str(self), f"a packed file; unpack it first: {packed}")
        text = self.beginning.lstrip("\x00 \t\r\n")
        if text.startswith(_MARKS):
            return "json"
        return "page" if _PAGE in text else "other"

    @property
    def beginning(self) -> str:
        """Its first bytes, as text. Raises InvalidImport where it cannot be read."""
        return self._head.decode("utf-8-sig", errors="replace")

    @cached_property
    def _head(self) -> bytes:
        with self.open() as file:
            return file.read(_HEAD)

    @property
    def _in_use(self) -> bool:
        """Whether it is a SQLite database that is open: closing what SQLite did not open would end its locks."""
        return not self.member and self.path.with_name(f"{self.path.name}-wal").exists()

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """The SQLite database, for reading alone. Raises InvalidImport for a broken one, and for one in an archive."""
        if self.member:
            raise invalid(str(self), "a SQLite database in an archive; unpack it first")
        how = "mode=ro" if self._in_use else "mode=ro&immutable=1"
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?{how}", uri=True)) as db:
                yield db
        except sqlite3.DatabaseError as error:
            raise invalid(str(self), f"a SQLite database that cannot be read: {error}") from error

    def tables(self) -> frozenset[str]:
        """The tables of a SQLite database. Raises InvalidImport where it cannot be read."""
        with self.database() as db:
            rows = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return frozenset(name for (name,) in rows)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def named(paths: PathOrPaths) -> list[str]:
    """The names given, one or many, as texts; "~" is the user's home. Raises InvalidOption for what names nothing."""
    given = [paths] if isinstance(paths, str | PathLike) else list(paths) if isinstance(paths, Iterable) else []
    if not given or not all(isinstance(path, str | PathLike) and fspath(path) for path in given):
        remedy = "name a file, a folder or a glob, or several in a list"
        raise InvalidOption(f"paths={paths!r:.60}: {remedy}", option="paths", value=paths)
    return [str(Path(fspath(path)).expanduser()) for path in given]


def find(paths: PathOrPaths) -> Iterator[SourceFile | LeftOut]:
    """The files that are meant: each by name, all of a folder (hidden ones apart), all that a glob matches.

    Raises InvalidImport where a name leads nowhere.
    """
    for name in named(paths):
        place = Path(name)
        if place.is_dir():
            yield from _within(sorted(_files(place)), place)
        elif place.exists() or not glob.has_magic(name):
            yield from _opened(_on_disk(place, given=True))
        else:
            matched = [Path(found) for found in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 - with folders
            if not matched:
                raise invalid(name, "no file matches")
            yield from _within([file for one in matched for file in _each(one)], place)


def _each(place: Path) -> list[Path]:
    return sorted(_files(place)) if place.is_dir() else [place]


def _files(folder: Path) -> Iterator[Path]:
    for place in folder.iterdir():
        if place.name.startswith("."):
            continue
        if place.is_dir():
            yield from _files(place)
        elif place.is_file():
            yield place


def _on_disk(place: Path, *, given: bool = False) -> SourceFile:
    try:
        return SourceFile(path=place, size=place.stat().st_size, given=given)
    except OSError as error:
        raise invalid(str(place), f"cannot be read: {_reason(error)}") from error


def _within(places: Sequence[Path], where: Path) -> Iterator[SourceFile | LeftOut]:
    """The files of a folder; those that are no recordings at all in one remark for each ending."""
    if not places:
        raise invalid(str(where), "the folder holds no file")
    others: list[str] = []
    for place in places:
        for found in _opened(_on_disk(place)):
            if isinstance(found, SourceFile) and found.kind == "other":
                others.append(str(found))
            else:
                yield found
    yield from _left_out(others, str(where))


def _left_out(names: Sequence[str], where: str) -> Iterator[LeftOut]:
    endings = Counter(PurePath(name).suffix for name in names)
    for ending, count in endings.most_common():
        alike = [PurePath(name).name for name in names if PurePath(name).suffix == ending]
        shown = ", ".join(alike[:_NAMED]) + (", ..." if count > _NAMED else "")
        text = f"{count} {'file is' if count == 1 else 'files are'} neither JSON nor SQLite nor an archive: {shown}"
        yield LeftOut(path=where, text=text)


def _opened(file: SourceFile) -> Iterator[SourceFile | LeftOut]:
    """The file, or what an archive holds."""
    if file.size == 0 and not file.given:
        yield LeftOut(path=str(file), text=EMPTY)
        return
    kind = _kind(file)
    if isinstance(kind, LeftOut):
        yield kind
    elif kind == "zip":
        yield from _members(file)
    else:
        yield file


def _kind(file: SourceFile) -> Kind | LeftOut:
    """What a file is, or why that cannot be told: an error only of a file that was named."""
    try:
        return file.kind
    except InvalidImport as error:
        if file.given:
            raise
        return left_out(error, file)


def left_out(error: InvalidImport, file: SourceFile) -> LeftOut:
    """The remark in the place of an error about a file."""
    return LeftOut(path=str(file), text=str(error).removeprefix(f"{file}: ").removeprefix(f"{file}, "))


def _members(archive: SourceFile) -> Iterator[SourceFile | LeftOut]:
    try:
        with zipfile.ZipFile(archive.path) as opened:
            infos = [info for info in opened.infolist() if not info.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise invalid(str(archive), f"an archive that cannot be read: {_reason(error)}") from error
    others: list[str] = []
    for info in infos:
        file = SourceFile(path=archive.path, member=info.filename, size=info.file_size)
        trouble = _trouble(info)
        kind = LeftOut(path=str(file), text=trouble) if trouble else _kind(file)
        if isinstance(kind, LeftOut):
            yield kind
        elif kind in ("json", "sqlite", "page"):
            yield file
        else:
            others.append(str(file))
    yield from _left_out(others, str(archive))


def _trouble(info: zipfile.ZipInfo) -> str:
    """Why a member of an archive is not read; "" where it is."""
    if info.file_size == 0:
        return EMPTY
    if info.flag_bits & 0x1:
        return "encrypted; unpack it first"
    if info.file_size > SMALL and info.file_size > EXPANSION * max(1, info.compress_size):
        times = info.file_size // max(1, info.compress_size)
        return (
            f"it would come to {info.file_size:,} bytes, {times:,} times its size in the archive: no recording shrinks "
            "so far; unpack it yourself if it is one"
        )
    return ""
