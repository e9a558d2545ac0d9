"""The border between bytes and values: decoding, JSON with line numbers, and fields that know their place.

`Field` walks foreign JSON and fails with InvalidImport that names path, line and field, so that parsers
hold no checks of their own. Lines end at "\\n" alone: JSON strings may hold U+2028 and its kin.
It knows no format.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sash.errors import InvalidImport
from sash.formats.damage import Keys, reject_constant, saved
from sash.formats.legality import HistoryProblem


def invalid(path: str, problem: str, *, line: int | None = None, field: str = "") -> InvalidImport:
    """The error to raise: what is wrong, in which file, line and field."""
    where = path + (f", line {line}" if line else "") + (f", field {field}" if field else "")
    return InvalidImport(f"{where}: {problem}", path=path, line=line, field=field or None)


def other_encoding(error: UnicodeDecodeError, path: str, line: int | None = None) -> InvalidImport:
    """The error to raise about a text that is not UTF-8."""
    problem = f"not UTF-8 (byte {error.object[error.start]:#04x}); convert it first, e.g. iconv -f latin1 -t utf-8"
    return invalid(path, problem, line=line)


def decode(data: bytes, path: str) -> str:
    """UTF-8 text (a byte order mark is dropped). Raises InvalidImport for other encodings and for nothing at all.

    Where a line was cut within a character, that line alone is at fault: it is damaged in any case.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8-sig", errors="replace")
        if not _cut_within_characters(data, text):
            raise other_encoding(error, path, data.count(b"\n", 0, error.start) + 1) from error
    if not text.strip():
        raise invalid(path, "the file is empty")
    return text


def _cut_within_characters(data: bytes, replaced: str) -> bool:
    """Whether all lines that are not UTF-8 are no JSON, either, among lines that are both."""
    rows = list(zip(data.split(b"\n"), replaced.split("\n"), strict=True))
    good = [text for row, text in rows if row.decode(errors="ignore") == text.lstrip("\ufeff")]
    bad = [text for row, text in rows if row.decode(errors="ignore") != text.lstrip("\ufeff")]
    return all(line_of(text, 0).problem for text in bad) and any(not line_of(text, 0).problem for text in good)


@dataclass(frozen=True, slots=True)
class Field:
    """A value inside foreign JSON that knows where it stands."""

    value: Any
    path: str
    line: int | None = None
    name: str = ""

    def fail(self, problem: str) -> InvalidImport:
        """The error to raise about this value."""
        return invalid(self.path, problem, line=self.line, field=self.name)

    def has(self, key: str) -> bool:
        """Whether it is an object with this key, and not null there."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def __getitem__(self, key: str) -> Field:
        if not isinstance(self.value, dict):
            raise self.fail(f"an object with {key!r} is expected, not {_kind(self.value)}")
        if self.value.get(key) is None:
            raise self.fail(f"{key!r} is missing")
        return Field(self.value[key], self.path, self.line, f"{self.name}.{key}".lstrip("."))

    def each(self) -> Iterator[Field]:
        """The members of a list."""
        if not isinstance(self.value, list):
            raise self.fail(f"a list is expected, not {_kind(self.value)}")
        for index, member in enumerate(self.value):
            yield Field(member, self.path, self.line, f"{self.name}[{index}]")

    def text(self) -> str:
        """Itself, a string."""
        if not isinstance(self.value, str):
            raise self.fail(f"text is expected, not {_kind(self.value)}")
        return self.value

    def object(self) -> dict[str, Any]:
        """Itself, an object."""
        if not isinstance(self.value, dict):
            raise self.fail(f"an object is expected, not {_kind(self.value)}")
        return self.value

    def get(self, key: str, default: Any = None) -> Any:
        """The bare value at `key`, or `default` where absent or null."""
        return self.value[key] if self.has(key) else default

    def time(self) -> float:
        """Itself, an ISO 8601 time (UTC unless it says otherwise) or a number, in unix seconds."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return float(self.value)
        try:
            moment = datetime.fromisoformat(self.text())
        except ValueError as error:
            raise self.fail(f"no ISO 8601 time: {self.value!r:.60}") from error
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def moment(self, pattern: str) -> float:
        """Itself, a time written after a `strptime` pattern without a zone, read as UTC, in unix seconds."""
        try:
            return datetime.strptime(self.text(), pattern).replace(tzinfo=UTC).timestamp()
        except ValueError as error:
            raise self.fail(f"no time of the form {pattern!r}: {self.value!r:.60}") from error


def document(text: str, path: str) -> Field:
    """The one JSON value that is the whole text. Raises InvalidImport that names the line of the fault."""
    try:
        return Field(_loads(text), path)
    except json.JSONDecodeError as error:
        raise invalid(path, f"no JSON: {error.msg} (column {error.colno})", line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise invalid(path, f"no usable JSON: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The JSON values of a text, in order, and a remark for each line that is not one value."""

    fields: tuple[Field, ...]
    damaged: tuple[HistoryProblem, ...] = ()

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)


def lines(text: str, path: str) -> Values:
    """One JSON value a line. A damaged line gives the records that can be saved from it, and a remark.

    Raises InvalidImport that names the first line where there is no value at all.
    """
    read = [line_of(line, number) for number, line in enumerate(text.rstrip("\n").split("\n"), 1)]
    kinds = {frozenset(line.value) for line in read if isinstance(line.value, dict)}
    fields: list[Field] = []
    damaged: list[HistoryProblem] = []
    for line in read:
        found = line.values(kinds)
        fields += [Field(value, path, line.number) for value in found]
        if line.problem:
            damaged.append(line.remark(len(found)))
    if not fields:
        raise invalid(path, f"{read[0].problem}; the line may be cut short", line=1)
    return Values(fields=tuple(fields), damaged=tuple(damaged))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that is one value, or has a problem."""

    number: int
    text: str
    value: Any = None
    problem: str = ""

    def values(self, kinds: Collection[Keys]) -> list[Any]:
        """Its value, or the whole records in it. `kinds`: the keys of the file's other records."""
        return saved(self.text, kinds) if self.problem else [self.value]

    def remark(self, saved: int) -> HistoryProblem:
        """What is to be said of a damaged line of which so many records were saved."""
        if not self.text.strip():
            return HistoryProblem(text=f"line {self.number} is empty")
        what = {0: "it may be cut short; nothing of it could be saved", 1: "the whole record in it was saved"}
        kept = what.get(saved, f"the {saved} whole records in it were saved")
        return HistoryProblem(text=f"line {self.number} is damaged: {self.problem}; {kept}")


def line_of(line: str, number: int) -> Line:
    """What a line holds, or what is wrong with it."""
    try:
        return Line(number=number, text=line, value=_loads(line))
    except json.JSONDecodeError as error:
        problem = f"no JSON: {error.msg} (column {error.colno} of {len(line)})"
    except (ValueError, RecursionError) as error:
        problem = f"no usable JSON: {error}"
    return Line(number=number, text=line, problem=problem)


def _loads(text: str) -> Any:
    return json.loads(text, parse_constant=reject_constant)


def values(text: str, path: str) -> Values:
    """The JSON values of a text that is one document, or one value a line, damaged lines and all.

    Raises InvalidImport that names the line of the fault.
    """
    try:
        return Values(fields=(document(text, path),))
    except InvalidImport:
        if not _one_a_line(text):
            raise
    return lines(text, path)


def _one_a_line(text: str) -> bool:
    """Whether some line is a whole object or list by itself, as none is in a document broken over lines."""
    rows = text.strip().split("\n")
    return rows[0].strip() not in ("[", "{") and any(
        row[:1] in ("{", "[") and not line_of(row, 0).problem for row in rows
    )


def members_of(values: Sequence[Field]) -> Sequence[Field]:
    """The members of the one list that the values are; else the values themselves."""
    if len(values) == 1 and isinstance(values[0].value, list):
        return tuple(values[0].each())
    return values


def shape(field: Field) -> str:
    """What a value is, in a few words: its kind and its first keys, or those of its first member."""
    value = field.value
    if isinstance(value, list) and value:
        return f"a list of {len(value):,} whose first is {shape(Field(value[0], field.path))}"
    if isinstance(value, dict) and value:
        return f"an object with the keys {', '.join(list(map(repr, value))[:8])}"
    return _kind(value)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "text", bool: "true/false", type(None): "null"}.get(
        type(value), "a number"
    )
