"""Whether a value fits a type annotation, and if not, where and what would. Pure.

Known are numbers, text, truth values, None, literals, unions, lists, mappings and objects (`TypedDict`); whatever else
an annotation names fits anything, since only its owner can say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    ParamSpec,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from sash.errors import InvalidOption
from sash.model.names import alike
from sash.model.values import whole

P = ParamSpec("P")
R = TypeVar("R")
Path = tuple[str | int, ...]

_KINDS: Mapping[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number", lambda value: isinstance(value, Integral) and not isinstance(value, bool)),
    float: ("a number", lambda value: isinstance(value, Real) and not isinstance(value, bool)),
    bool: ("True or False", lambda value: isinstance(value, bool)),
    str: ("a string", lambda value: isinstance(value, str)),
    NoneType: ("None", lambda value: value is None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """What does not fit."""

    path: Path
    """where inside the value: keys and indexes"""
    value: Any
    """what stands there"""
    kinds: tuple[str, ...] = ()
    """what would fit there, in words"""
    remark: str = ""
    """what is wrong where no other value would mend it: a key that nobody knows"""
    newer: bool = False
    """whether a later version of the type may allow it: an unknown key, another literal"""

    @property
    def remedy(self) -> str:
        """What to do, in words."""
        return self.remark or f"give {' or '.join(self.kinds)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is meant, as a question, or all of them."""
    known = sorted(known)
    near = alike(name, known)
    return f"did you mean {near!r}?" if near else f"known are {', '.join(known)}"


def check_fit(option: str, value: Any, hint: Any) -> None:
    """Raise InvalidOption, which names the option, for what the annotation does not allow."""
    wrong = misfit(hint, value)
    if wrong is not None:
        place = ".".join(map(str, (option, *wrong.path)))
        raise InvalidOption(f"{place}={wrong.value!r:.60}: {wrong.remedy}", option=option, value=wrong.value)


def check_whole(name: str, value: Any, *, least: int = 1, of: str = "tokens") -> None:
    """Raise InvalidOption for what is no whole number of something, `least` or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidOption(
            f"{name}={value!r:.60}: give a whole number of {of}, {least} or more", option=name, value=value
        )


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """A method whose arguments must fit their annotations: it raises InvalidOption before it does anything."""
    signature = inspect.signature(method)

    @wraps(method)
    def call(*given: P.args, **named: P.kwargs) -> R:
        hints = hints_of(method)
        for name, value in signature.bind(*given, **named).arguments.items():
            if name in hints:
                check_fit(name, value, hints[name])
        return method(*given, **named)

    return call


@cache
def hints_of(annotated: Callable[..., Any]) -> Mapping[str, Any]:
    """The types that a class gives its fields, or a function its arguments, by name."""
    return get_type_hints(annotated)


def misfit(hint: Any, value: Any, path: Path = ()) -> Misfit | None:
    """The first thing about `value` that the annotation does not allow; None where it fits."""
    if hint is type(value) and hint in (int, float, bool):  # as most settings are: nothing else to look at
        return None
    hint = _bare(hint)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _of_union(get_args(hint), value, path)
    if origin is Literal:
        fits = any(value == one and isinstance(value, type(one)) for one in get_args(hint))
        return None if fits else Misfit(path=path, value=value, kinds=tuple(map(repr, get_args(hint))), newer=True)
    if hasattr(hint, "__required_keys__"):  # `typing.is_typeddict` knows none that `typing_extensions` made
        return _of_object(hint, value, path)
    if origin in _HOLDERS:
        return _HOLDERS[origin](get_args(hint), value, path)
    if hint is str and isinstance(value, str) and value != whole(value):
        return Misfit(path=path, value=value, remark="half a character, which UTF-8 cannot carry: leave it out")
    word, fits_kind = _KINDS.get(hint, ("", None))
    return None if fits_kind is None or fits_kind(value) else Misfit(path=path, value=value, kinds=(word,))


def _bare(hint: Any) -> Any:
    while get_origin(hint) in (Annotated, Required, NotRequired):
        hint = get_args(hint)[0]
    return hint


def _of_union(hints: Sequence[Any], value: Any, path: Path) -> Misfit | None:
    """What is wrong with the kind that was meant: the deepest misfit, but for one that only tells another kind."""
    found = [misfit(hint, value, path) for hint in hints]
    wrong = [one for one in found if one is not None]
    if len(wrong) < len(found):
        return None
    meant = max(wrong, key=lambda one: (len(one.path) > len(path), one.path[-1:] != ("type",), len(one.path)))
    there = [one for one in wrong if one.path == meant.path]
    kinds = tuple(dict.fromkeys(kind for one in there for kind in one.kinds))
    return replace(meant, kinds=kinds, newer=any(one.newer for one in there))


def _of_object(hint: Any, value: Any, path: Path) -> Misfit | None:
    if not isinstance(value, Mapping):
        return Misfit(path=path, value=value, kinds=("a dict",))
    fields = _fields(hint)
    for name in sorted(fields, key=lambda name: name != "type"):  # the type first: it says which object is meant
        if name in value and (wrong := misfit(fields[name], value[name], (*path, name))):
            return wrong
        if name not in value and _required(hint, name):
            absent = misfit(fields[name], _NOTHING)
            return Misfit(path=(*path, name), value=None, kinds=absent.kinds if absent else ("it a value",))
    unknown = next((name for name in value if name not in fields), None)
    if unknown is None:
        return None
    remark = f"there is no such key; {nearest(str(unknown), fields)}"
    return Misfit(path=(*path, str(unknown)), value=value[unknown], remark=remark, newer=True)


_NOTHING = object()


@cache
def _fields(hint: Any) -> Mapping[str, Any]:
    return get_type_hints(hint, include_extras=True)


def _required(hint: Any, name: str) -> bool:
    """Whether objects of this kind have the key. Annotations kept as text hide it from `__required_keys__`."""
    said = get_origin(_fields(hint)[name])
    return said is Required or (name in hint.__required_keys__ and said is not NotRequired)


def _of_list(hints: Sequence[Any], value: Any, path: Path) -> Misfit | None:
    if not isinstance(value, list | tuple):
        return Misfit(path=path, value=value, kinds=("a list",))
    found = (misfit(hints[0], item, (*path, index)) for index, item in enumerate(value)) if hints else iter(())
    return _first(found)


def _of_mapping(hints: Sequence[Any], value: Any, path: Path) -> Misfit | None:
    if not isinstance(value, Mapping):
        return Misfit(path=path, value=value, kinds=("a dict",))
    keys, values = hints or (Any, Any)
    at = {name: (*path, str(name)) for name in value}
    return _first(misfit(keys, name, at[name]) or misfit(values, value[name], at[name]) for name in value)


def _first(found: Iterator[Misfit | None]) -> Misfit | None:
    return next((one for one in found if one is not None), None)


_HOLDERS: Mapping[Any, Callable[[Sequence[Any], Any, Path], Misfit | None]] = {
    list: _of_list,
    Sequence: _of_list,
    Iterable: _of_list,
    dict: _of_mapping,
    Mapping: _of_mapping,
}
