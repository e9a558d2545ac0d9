"""Ids and names of tool calls: made legal, and ids unique where they have to be."""

from __future__ import annotations

import re
from collections.abc import Collection

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST = 128
"""Characters of a tool's name."""


def legal_id(wanted: str) -> str:
    """The nearest id of a call that the API takes.

    An id is letters, digits, `_` and `-` ("Handle tool calls"); any other character becomes `_`.
    """
    return _ILLEGAL.sub("_", wanted) or "call"


def free_id(wanted: str, taken: Collection[str]) -> str:
    """`wanted` made legal; where that is in `taken`, with the first number behind it that is free."""
    base = legal_id(wanted)
    found, number = base, 2
    while found in taken:
        found, number = f"{base}_{number}", number + 1
    return found


def legal_name(name: str) -> str:
    """The nearest name of a tool that the API takes in a call: at most 128 of the characters that ids have."""
    return _ILLEGAL.sub("_", name)[:_LONGEST]
