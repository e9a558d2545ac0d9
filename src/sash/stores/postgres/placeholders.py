"""Placeholders as the parts write them (`?`, `?1`, `:name`), turned into PostgreSQL's `$1`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(r"'(?:[^']|'')*'|::|\?(?P<number>\d*)|:(?P<name>[a-z_]\w*)")
"""Texts and casts are stepped over."""

Order = tuple[int | str, ...]
"""Which of the values given stands for `$1`, `$2`, ...: its place, or its name."""


@lru_cache(maxsize=2_048)
def numbered(statement: str) -> tuple[str, Order]:
    """A statement with `$1`, `$2`, ... and what each of them stands for."""
    order: list[int | str] = []
    highest = 0

    def number(found: re.Match[str]) -> str:
        nonlocal highest
        if found["name"]:
            key: int | str = found["name"]
        elif found["number"] is not None:
            key = int(found["number"] or highest + 1) - 1
            highest = max(highest, key + 1)
        else:
            return found[0]
        if key not in order:
            order.append(key)
        return f"${order.index(key) + 1}"

    return _TOKEN.sub(number, statement), tuple(order)


def in_order(values: Sequence[Any] | Mapping[str, Any], order: Order) -> list[Any]:
    """The values as `$1`, `$2`, ... take them."""
    return [escaped(values[key]) for key in order]  # type: ignore[index]


ESCAPE = "\x10"
"""Data link escape: with what follows it stands for a sign that PostgreSQL keeps in no text, or for itself."""


def escaped(value: Any) -> Any:
    """A value as it is stored: PostgreSQL's texts hold no NUL."""
    if isinstance(value, str) and ("\x00" in value or ESCAPE in value):
        return value.replace(ESCAPE, ESCAPE + "1").replace("\x00", ESCAPE + "0")
    return value


def unescaped(value: Any) -> Any:
    """A value as it was given."""
    if isinstance(value, str) and ESCAPE in value:
        return value.replace(ESCAPE + "0", "\x00").replace(ESCAPE + "1", ESCAPE)
    return value
