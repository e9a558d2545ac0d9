"""Python values as JSON can hold them: what functions return, and what comes back from the API, made sendable.

How a value is written is pydantic's doing: models, dataclasses, dates, `Decimal`, `UUID`, enums, sets and paths go as
pydantic writes them, NaN as null, bytes as text where they are UTF-8, else as base64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from operator import is_
from pathlib import PurePath
from reprlib import Repr
from typing import Any, Literal


def day(at: float) -> str:
    """The day of a unix time, in UTC: "2026-11-29"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def counted(number: int, what: str) -> str:
    """A number of things in words: "1 reply", "2 replies". `what` is the word for one."""
    if number == 1:
        return f"1 {what}"
    if what.endswith("y") and what[-2:-1] not in "aeiou":
        return f"{number:,} {what[:-1]}ies"
    return f"{number:,} {what}{'es' if what.endswith(('ch', 's', 'x')) else 's'}"


def short(text: str, most: int = 48) -> str:
    """The repr of a text in at most so many characters, its middle left out."""
    shown = Repr()
    shown.maxstring = most
    return shown.repr(text)


def named_legibly(name: str) -> bool:
    """Whether a name can be shown on a line; joiners count as part of the letters and emoji that they join."""
    shown = name.replace("\u200d", "").replace("\u200c", "")
    return bool(shown.strip()) and shown.isprintable()


def whole(text: str) -> str:
    """Text that UTF-8 can carry: halves of a surrogate pair are joined where both are there, else escaped."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return joined.encode("utf-8", "backslashreplace").decode()
    return text


def sound(value: Any) -> Any:
    """A JSON value as the wire can carry it: every text whole, NaN and infinities null."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, Mapping):
        return {whole(str(key)): sound(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [sound(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def leaves(value: Any) -> Iterator[str]:
    """The strings and numbers in a JSON value, as text; names of fields are none of them."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same JSON text, byte for byte: 1, 1.0 and True are equal, and are not."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same_json, one.values(), other.values()))
    if isinstance(one, list | tuple):  # most hold the very same items: that is seen without a call for each
        return len(one) == len(other) and (all(map(is_, one, other)) or all(map(same_json, one, other)))
    return repr(one) == repr(other) if isinstance(one, float) else bool(one == other)


def copied(value: Any) -> Any:
    """A JSON value with containers of its own."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def as_json(value: Any) -> Any:
    """Any value at all as a JSON value, the way pydantic would write it; what it cannot write is described in words."""
    if isinstance(value, Iterator):
        value = list(value)
    try:
        return sound(_serialised(value))
    except Exception:  # noqa: BLE001 - a value's own code may raise anything; its form is no reason to lose it
        return whole(_described(value))


def _serialised(value: Any) -> Any:
    options: dict[str, Any] = {"fallback": _plainer, "warnings": False}
    forms: tuple[Literal["utf8", "base64"], ...] = ("utf8", "base64")
    for form in forms:
        with suppress(ValueError):  # bytes that are no UTF-8, or keys that it cannot carry
            return _load_writer(form).dump_python(value, mode="json", **options)
    plain = _with_whole_keys(_load_writer("utf8").dump_python(value, mode="python", **options))
    return _load_writer("base64").dump_python(plain, mode="json", **options)


def _with_whole_keys(value: Any) -> Any:
    """Plain containers with keys that UTF-8 can carry; pydantic escapes no half of a pair in those."""
    if isinstance(value, dict):
        return {whole(key) if isinstance(key, str) else key: _with_whole_keys(item) for key, item in value.items()}
    return [_with_whole_keys(item) for item in value] if isinstance(value, list | tuple) else value


def _plainer(value: Any) -> Any:
    """What stands for a value that pydantic does not know: its numbers (numpy), or its words."""
    if isinstance(value, PurePath):
        return str(value)
    return value.tolist() if callable(getattr(value, "tolist", None)) else _described(value)


def _described(value: Any) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - as above
        return f"<{type(value).__name__}>"


def dumps_numbers(value: Any) -> str:
    """JSON text of a plain value that holds many numbers, in a tenth of the time: `json` asks Python for each."""
    text: bytes = _load_pydantic_core().to_json(value)
    return text.decode()


def loads_numbers(text: str) -> Any:
    """The plain value of a JSON text that holds many numbers."""
    return _load_pydantic_core().from_json(text)


def _load_pydantic_core() -> Any:
    """The one place that imports what pydantic stands on."""
    import pydantic_core  # noqa: PLC0415 - a tenth of the time that `import sash` takes

    return pydantic_core


@cache
def _load_writer(form: Literal["utf8", "base64"]) -> Any:
    """What writes values; `form` of bytes: "utf8" or "base64"."""
    from pydantic import ConfigDict, TypeAdapter  # noqa: PLC0415 - loaded when first needed

    return TypeAdapter(Any, config=ConfigDict(ser_json_bytes=form, ser_json_inf_nan="null"))
