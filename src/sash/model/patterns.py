"""Patterns that are read when they are first looked for: tables of words in many languages take long to read.

A table of forms holds one a line:

    # name           of a section
    | stem, stem     parts of words, in small letters: whatever the forms of this section find holds one of them
    a pattern        one form; what begins with four blanks goes on where the line before it ended

In a text without the stems of a section its forms are not looked for: most texts have few, which is found out quickly.
Stems are written by hand, as few and as telling as will do; a test draws texts from each form and looks for them there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast


def late(text: str, flags: int = 0) -> re.Pattern[str]:
    """What `re.compile` gives, made when it is first used: an error in it is raised only then."""
    return cast("re.Pattern[str]", _Late(text, flags))


class _Late:
    """Answers as the pattern does, whose methods it takes over one by one."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._text, self._flags), name)  # made once: `re` remembers
        setattr(self, name, found)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Forms that have their stems in common; without stems they are looked for in every text."""

    name: str
    stems: Sequence[str]
    forms: Sequence[re.Pattern[str]]


Filled = Callable[[str], str]
"""What puts words where a form names a list of them."""


def sections(table: str, filled: Filled) -> tuple[Section, ...]:
    """The sections of a table of forms."""
    return tuple(
        Section(name=name, stems=stems, forms=[late(form, re.I) for form in forms])
        for name, stems, forms in _read(table, filled)
    )


def joined(table: str, filled: Filled) -> Mapping[str, re.Pattern[str]]:
    """One pattern for each section of a table without stems, by its name: it finds what any form there finds."""
    return {name: late("|".join(f"(?:{form})" for form in forms), re.I) for name, _, forms in _read(table, filled)}


def _read(table: str, filled: Filled) -> Iterator[tuple[str, list[str], list[str]]]:
    """The name, the stems and the forms of each section."""
    for part in re.split(r"^# ", table.replace("\n    ", ""), flags=re.M)[1:]:
        name, *lines = filter(str.strip, part.splitlines())
        stems = [stem.strip() for line in lines if line.startswith("|") for stem in line[1:].split(",")]
        yield name, stems, [filled(line) for line in lines if not line.startswith("|")]


_LIKE_SMALL = str.maketrans("İıſ", "iis")
"""What a pattern takes for a small letter of ASCII, and `lower` makes none of: Turkish capitals are written so."""


def stands_in(text: str, table: Iterable[Section]) -> bool:
    """Whether any form of these sections is found in a text."""
    small = (text if text.isascii() else text.translate(_LIKE_SMALL)).lower()
    likely = (one for one in table if not one.stems or any(map(small.__contains__, one.stems)))
    return any(form.search(text) for one in likely for form in one.forms)
