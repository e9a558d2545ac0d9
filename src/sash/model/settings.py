"""Values that people build by hand: a misspelt argument names the nearest, a value of a wrong kind is named. Pure.

`settings` decorates a dataclass. Kinds are read off the annotations, as far as they are numbers, text, truth values or
literals; what else a value must be is said in the class's own `__post_init__`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from functools import cache, wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sash.errors import InvalidOption

T = TypeVar("T")

_KINDS: Mapping[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number", lambda value: isinstance(value, Integral) and not isinstance(value, bool)),
    float: ("a number", lambda value: isinstance(value, Real) and not isinstance(value, bool)),
    bool: ("True or False", lambda value: isinstance(value, bool)),
    str: ("a string", lambda value: isinstance(value, str)),
    NoneType: ("None", lambda value: value is None),
}


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is meant, as a question, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def settings(cls: type[T]) -> type[T]:
    """The dataclass, whose arguments are checked before it is made. Raises InvalidOption."""
    make: Any = cls.__init__
    secret = any(not field.repr for field in fields(cls))  # type: ignore[arg-type]
    known = {field.name: field for field in fields(cls) if field.init}  # type: ignore[arg-type]

    @wraps(make)
    def checked(self: Any, *values: Any, **named: Any) -> None:
        for name in named:
            if name not in known:
                raise InvalidOption(
                    f"{cls.__name__} has no setting {name!r}; {nearest(name, known)}",
                    option=name,
                    value=None if secret else named[name],
                )
        for name, value in {**dict(zip(known, values, strict=False)), **named}.items():
            _check_kind(cls, known[name], value)
        make(self, *values, **named)

    cls.__init__ = checked  # type: ignore[method-assign]
    return cls


def _check_kind(cls: type, field: Field[Any], value: Any) -> None:
    kinds = _kinds(cls)[field.name]
    if kinds is None or any(fits(value) for _, fits in kinds):
        return
    shown = f"={value!r:.60}" if field.repr else ""
    words = " or ".join(word for word, _ in kinds)
    raise InvalidOption(
        f"{cls.__name__}({field.name}{shown}): give {words}", option=field.name, value=value if field.repr else None
    )


@cache
def _kinds(cls: type) -> Mapping[str, list[tuple[str, Callable[[Any], bool]]] | None]:
    """By field: the kinds it takes; None where its annotation names others, too."""
    hints = get_type_hints(cls)
    return {field.name: _kinds_of(hints[field.name]) for field in fields(cls)}


def _kinds_of(hint: Any) -> list[tuple[str, Callable[[Any], bool]]] | None:
    if get_origin(hint) in (Union, UnionType):
        parts = [_kinds_of(part) for part in get_args(hint)]
        known = [kinds for kinds in parts if kinds is not None]
        return None if len(known) < len(parts) else [kind for kinds in known for kind in kinds]
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return [(" or ".join(map(repr, choices)), lambda value: any(value == one for one in choices))]
    return [_KINDS[hint]] if hint in _KINDS else None
