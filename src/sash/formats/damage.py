"""Damaged lines of a JSON Lines file: what is wrong with one, and which records can be saved from it.

Programs that are killed while they write leave lines cut short, NULs where a write never came, and the stub of one
record with the next record right behind it. A record is an object; one that stands inside another is none.
Told apart by position where the JSON breaks, else by likeness: a record has about the keys of other records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

LIKE = 0.5
"""The share of keys that two records of one kind have in common, at least (Jaccard)."""

Keys = frozenset[str]

_JUNK = "\x00 \t\r\ufeff"
_BROKEN_WORD = re.compile(r"[\x00\s]*[^\x00\s{]{0,6}[\x00\s]*\{")  # an escape, number or word cut short, then a brace


def reject_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and the API does not take."""
    raise ValueError(f"{name} is no JSON number")


_decoder = json.JSONDecoder(parse_constant=reject_constant)


def saved(line: str, kinds: Collection[Keys]) -> list[dict[str, Any]]:
    """The whole records in a line that is not one JSON value, in order. `kinds`: the keys of its other records."""
    found: list[dict[str, Any]] = []
    at = 0
    while (start := _next_record(line, at, kinds)) is not None:
        value, at = _decoder.raw_decode(line, start)
        found.append(value)
    return found


def _next_record(line: str, at: int, kinds: Collection[Keys]) -> int | None:
    """Where the next whole record begins, from `at` on."""
    sure = _where_a_record_must_begin(line, at)
    for start in _openings(line, at):
        value, end = _whole(line, start)
        if value and line[end:].lstrip(_JUNK)[:1] in ("", "{") and (start in sure or _alike(value, kinds)):
            return start
    return None


def _where_a_record_must_begin(line: str, at: int) -> set[int]:
    """The first brace behind junk, and the one at which the JSON of a stub before it breaks.

    A string that was cut ends, for JSON, at the first quote of the next record: the brace stands just before that.
    """
    first = next((place for place in range(at, len(line)) if line[place] not in _JUNK), len(line))
    if line[first : first + 1] != "{":
        return set()
    try:
        _decoder.raw_decode(line, first)
    except json.JSONDecodeError as error:
        if error.pos >= len(line):
            return {first}  # it breaks off at a place where any value may stand: what is inside may be its own
        behind = _BROKEN_WORD.match(line, error.pos)
        return {first, line.rfind("{", first + 1, error.pos + 1), behind.end() - 1 if behind else first}
    except (ValueError, RecursionError):
        return set()
    return {first}


def _openings(line: str, at: int) -> Iterator[int]:
    return (match.start() for match in re.compile(r"\{").finditer(line, at))


def _whole(line: str, start: int) -> tuple[dict[str, Any] | None, int]:
    try:
        value, end = _decoder.raw_decode(line, start)
    except (ValueError, RecursionError):
        return None, start
    return value, end


def _alike(value: dict[str, Any], kinds: Collection[Keys]) -> bool:
    keys = value.keys()
    return any(len(keys & kind) >= LIKE * len(keys | kind) for kind in kinds)
