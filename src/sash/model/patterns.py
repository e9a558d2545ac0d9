"""Patterns that are read when they are first looked for: tables of words in many languages take long to read."""

from __future__ import annotations

import re
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
