"""Values that people build by hand: a misspelt argument names the nearest, a value of a wrong kind is named. Pure.

`settings` decorates a dataclass. Kinds are read off the annotations (`sash.model.fitting`); what else a value must be
is said in the class's own `__post_init__`. A class attribute `gone` names settings of earlier versions, each with what
to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from functools import lru_cache, wraps
from types import NoneType
from typing import Any, TypeVar

from sash.errors import InvalidOption
from sash.model.fitting import hints_of, misfit, nearest

T = TypeVar("T")


def settings(cls: type[T]) -> type[T]:
    """The dataclass, whose arguments are checked before it is made. Raises InvalidOption."""
    make: Any = cls.__init__
    secret = any(not field.repr for field in fields(cls))  # type: ignore[arg-type]
    known = {field.name: field for field in fields(cls) if field.init}  # type: ignore[arg-type]
    gone: Mapping[str, str] = getattr(cls, "gone", {})

    @wraps(make)
    def checked(self: Any, *values: Any, **named: Any) -> None:
        for name in named:
            if name not in known:
                raise InvalidOption(
                    f"{cls.__name__} has no setting {name!r}; {gone.get(name) or nearest(name, known)}",
                    option=name,
                    value=None if secret else named[name],
                )
        for name, value in {**dict(zip(known, values, strict=False)), **named}.items():
            _check_kind(cls, known[name], value)
        make(self, *values, **named)

    cls.__init__ = checked  # type: ignore[method-assign]
    return cls


def _check_kind(cls: type, field: Field[Any], value: Any) -> None:
    if field.repr and type(value) in _SIMPLE and _fits(cls, field.name, value):
        return
    wrong = misfit(hints_of(cls)[field.name], value)
    if wrong is None:
        return
    inner = "".join(f"[{part!r}]" for part in wrong.path)
    shown = f"={wrong.value!r:.60}" if field.repr else ""
    raise InvalidOption(
        f"{cls.__name__}({field.name}{inner}{shown}): {wrong.remedy}",
        option=field.name,
        value=value if field.repr else None,
    )


_SIMPLE = (int, float, bool, str, NoneType)


@lru_cache(maxsize=1_024, typed=True)
def _fits(cls: type, name: str, value: Any) -> bool:
    """Whether a value fits: the same ones come again whenever a setting is changed beside them."""
    return misfit(hints_of(cls)[name], value) is None
