"""Patterns that are read when they are first looked for: tables of words in many languages take long to read.

A table of forms holds one a line:

    # name           of a section
    | stem, stem     parts of words, in small letters: whatever the forms of this section find holds one of them
    a pattern        one form; what begins with four blanks goes on where the line before it ended

In a text without the stems of a section its forms are not looked for: most texts have few, which is found out quickly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
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


def sections(table: str, filled: Callable[[str], str]) -> tuple[Section, ...]:
    """The sections of a table of forms; `filled` puts words where a form names a list of them."""
    return tuple(
        _section(part.splitlines(), filled) for part in re.split(r"^# ", table.replace("\n    ", ""), flags=re.M)[1:]
    )


def _section(lines: Sequence[str], filled: Callable[[str], str]) -> Section:
    name, *rest = lines
    return Section(
        name=name.strip(),
        stems=[stem.strip() for line in rest if line.startswith("|") for stem in line[1:].split(",")],
        forms=[late(filled(line), re.I) for line in rest if line.strip() and not line.startswith("|")],
    )


_LIKE_SMALL = str.maketrans("İıſ", "iis")
"""What a pattern takes for a small letter of ASCII, and `lower` makes none of: Turkish capitals are written so."""


def stands_in(text: str, forms: Iterable[Section]) -> bool:
    """Whether any of the forms is found in a text."""
    small = (text if text.isascii() else text.translate(_LIKE_SMALL)).lower()
    likely = (one for one in forms if not one.stems or any(map(small.__contains__, one.stems)))
    return any(form.search(text) for one in likely for form in one.forms)
