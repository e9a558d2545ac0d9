"""The values of a JSON file one after the other, in memory that does not grow with the file.

`Members(file)` knows three shapes: one list ("list": its members come one by one), one value a line ("lines"), and
anything else ("whole": read at once). `sample()` is what a format is told by: the first values, a list cut to its first
members. A list that ends in the middle gives what came before, and a remark; so does a damaged line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from io import TextIOWrapper
from itertools import count, islice
from typing import IO, Any, Literal

from sash.formats.damage import Keys, reject_constant
from sash.formats.files import SourceFile
from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, Line, invalid, line_of, other_encoding, values

Layout = Literal["list", "lines", "whole"]

SAMPLE = 50
"""Values looked at to tell a format."""
CHUNK = 2**18
"""Characters read at a time."""
_WHITE = " \t\r\n"
_SPACE = re.compile(rf"[{_WHITE}]*")
_NEAR_THE_END = 12
"""Characters before the end of what was read, within which a fault may be a value that goes on: "\\ud83d", `false`."""

_decoder = json.JSONDecoder(parse_constant=reject_constant)


@dataclass(frozen=True)
class Members:
    """The values of a file."""

    file: SourceFile
    progress: Callable[[int], None] = field(default=lambda _: None, compare=False)
    """told how many bytes more were read"""

    @cached_property
    def shape(self) -> Layout:
        """How the file is written. Raises InvalidImport where it cannot be read."""
        with _reading(self.file, errors="replace") as text:
            head = _first_line(text)
            more = bool(text.read(CHUNK).strip())
        start = head.lstrip(_WHITE)[:1]
        if more and not line_of(head, 1).problem:
            return "lines"
        return "list" if start == "[" else "whole"

    def sample(self) -> list[Field]:
        """The first values; of one list its first members, as one list."""
        if self.shape == "whole":
            return list(values(self.file.text(), str(self.file)).fields[:SAMPLE])
        found = list(islice((one for one in self if isinstance(one, Field)), SAMPLE))
        if self.shape == "lines":
            return found
        return [Field([one.value for one in found], str(self.file))]

    def __iter__(self) -> Iterator[Field | HistoryProblem]:
        """Each value, and a remark for what was damaged. Raises InvalidImport where there is no value at all."""
        if self.shape == "whole":
            found = values(self.file.text(), str(self.file))
            yield from found.damaged
            yield from found.fields
            self.progress(self.file.size)
            return
        yield from self._lines() if self.shape == "lines" else self._list()

    def _lines(self) -> Iterator[Field | HistoryProblem]:
        kinds: set[Keys] = set()
        with self.file.open() as file:
            for number, row in enumerate(file, 1):
                line = self._line(row, number)
                if isinstance(line.value, dict):
                    kinds.add(frozenset(line.value))
                found = line.values(kinds)
                if line.problem:
                    yield line.remark(len(found))
                yield from (Field(value, str(self.file), number) for value in found)
                self.progress(len(row))

    def _line(self, row: bytes, number: int) -> Line:
        """A line; one that was cut within a character is damaged. Raises InvalidImport for another encoding."""
        try:
            return line_of(row.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n"), number)
        except UnicodeDecodeError as error:
            line = line_of(row.decode(errors="replace").rstrip("\r\n"), number)
            if line.problem:
                return line
            raise other_encoding(error, str(self.file), number) from error

    def _pieces(self) -> Iterator[str]:
        try:
            with _reading(self.file, errors="strict") as text:
                yield from iter(lambda: text.read(CHUNK), "")
        except UnicodeDecodeError as error:
            raise other_encoding(error, str(self.file)) from error

    def _list(self) -> Iterator[Field | HistoryProblem]:
        ahead = _Ahead(self._pieces(), self.progress)
        ahead.skip()
        ahead.at += 1
        ahead.skip()
        if ahead.sign == "]":
            return
        for number in count():
            value, problem = ahead.value()
            if problem:
                yield self._cut(number, problem)
                return
            yield Field(value, str(self.file), name=f"[{number}]")
            ahead.skip()
            if ahead.sign != ",":
                if ahead.sign != "]":
                    yield self._cut(number + 1, "a comma is missing" if ahead.sign else "its end is missing")
                return
            ahead.at += 1
            ahead.skip()

    def _cut(self, number: int, problem: str) -> HistoryProblem:
        if number == 0:
            raise invalid(str(self.file), f"no JSON: {problem}; the file may be cut short")
        text = f"the list breaks off after {number:,} entries ({problem}); it may be cut short: export it again"
        return HistoryProblem(text=text)


@dataclass
class _Ahead:
    """A text that comes in pieces, and a place in it."""

    pieces: Iterator[str]
    progress: Callable[[int], None]
    text: str = ""
    at: int = 0
    ended: bool = False

    def more(self) -> None:
        """Read as much again as is held, so that a long value is looked at a few times only."""
        held = [self.text[self.at :]]
        wanted = max(CHUNK, len(held[0]))
        while wanted > 0 and not self.ended:
            piece = next(self.pieces, "")
            self.ended = not piece
            self.progress(len(piece))
            wanted -= len(piece)
            held.append(piece)
        self.text, self.at = "".join(held), 0

    @property
    def sign(self) -> str:
        """The sign at this place; "" at the end."""
        return self.text[self.at : self.at + 1]

    def skip(self) -> None:
        """Go to the next sign that is no white space."""
        while True:
            self.at = _behind_space(self.text, self.at)
            if self.at < len(self.text) or self.ended:
                return
            self.more()

    def value(self) -> tuple[Any, str]:
        """The value that begins here, or what is wrong with it."""
        while True:
            try:
                value, end = _decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if self.ended or _is_sure(error):
                    return None, error.msg
            except (ValueError, RecursionError) as error:
                return None, str(error)
            else:
                if self.ended or self._is_whole(end):
                    self.at = end
                    return value, ""
            self.more()

    def _is_whole(self, end: int) -> bool:
        """Whether a value that ends here does so for good: a number may go on in the next piece."""
        behind = _behind_space(self.text, end)
        return self.text[behind : behind + 1] in (",", "]") or behind < len(self.text) - _NEAR_THE_END


def _behind_space(text: str, at: int) -> int:
    """The place of the next sign that is no white space."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _is_sure(error: json.JSONDecodeError) -> bool:
    """Whether no text that may follow would mend it."""
    return not error.msg.startswith("Unterminated") and error.pos < len(error.doc) - _NEAR_THE_END


@contextmanager
def _reading(file: SourceFile, *, errors: str) -> Iterator[IO[str]]:
    """Its text, to be read piece by piece; lines end at a line feed alone."""
    with file.open() as data, TextIOWrapper(data, encoding="utf-8-sig", errors=errors, newline="\n") as text:
        yield text


def _first_line(text: IO[str]) -> str:
    """The first line that says something; of a long one that begins a list its beginning alone."""
    while (line := text.readline(CHUNK)) and not line.strip():
        pass
    if line.lstrip(_WHITE)[:1] == "{":
        line += "" if line.endswith("\n") else text.readline()
    return line
