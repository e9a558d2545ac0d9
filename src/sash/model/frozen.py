"""Frozen dataclasses of many fields, made anew at every request."""

from __future__ import annotations

from typing import Any, TypeVar

V = TypeVar("V")


def with_fields(value: V, **fields: Any) -> V:
    """The same frozen dataclass with other `fields`, all else taken over as it stands: in a fifth of `replace`'s time.

    Nothing is checked anew, and what was worked out once (`cached_property`) is kept: no field that it is made of may
    be among these. Not for classes with slots. Raises TypeError for a name that is no field.
    """
    if not fields.keys() <= vars(value).keys():
        raise TypeError(f"{type(value).__name__} has not all of the fields {', '.join(fields)}")
    other = object.__new__(type(value))
    vars(other).update(vars(value), **fields)
    return other
