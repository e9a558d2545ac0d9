"""What of a text is worth recognising elsewhere: paths, ids, names in code, numbers with a shape.

Everyday words tell nothing of where they come from, so only what has a digit, a sign or an inner capital counts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from sash.model.values import leaves

MOST = 4_000
"""Signs of one text that are looked at."""
_CANDIDATE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./:\-]{4,}[A-Za-z0-9_]")
_TELLING = re.compile(r"[0-9A-Z_./:\-]")


@lru_cache(maxsize=256)
def signs(text: str) -> frozenset[str]:
    """The signs in a text."""
    found: set[str] = set()
    for match in _CANDIDATE.finditer(text):
        if len(found) >= MOST:
            break
        if _TELLING.search(match[0], 1):
            found.add(match[0])
    return frozenset(found)


def texts_of(value: Any) -> str:
    """Every text in a JSON value: of content blocks, or of a call's input."""
    return "\n".join(filter(None, leaves(value)))
