"""Any value as JSON: the way pydantic writes it, and always."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import pathlib
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from sash.model.values import as_json, copied, counted, dumps_numbers, loads_numbers, same_json, sound, whole


class Kind(enum.Enum):
    """A kind."""

    CAKE = "cake"


class Order(BaseModel):
    """An order."""

    number: int
    day: date
    weight: float = math.nan


@dataclasses.dataclass
class Shelf:
    """A shelf."""

    orders: list[Order]
    owner: uuid.UUID | None = None


class Stubborn:
    """Has no words for itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


CIRCLE: list[Any] = [1]
CIRCLE.append(CIRCLE)
ORDER = Order(number=1, day=date(2026, 11, 29))
WRITTEN = {"number": 1, "day": "2026-11-29", "weight": None}

VALUES: list[tuple[Any, Any]] = [
    ([ORDER, ORDER], [WRITTEN, WRITTEN]),
    (Shelf([ORDER]), {"orders": [WRITTEN], "owner": None}),
    (date(2026, 1, 2), "2026-01-02"),
    (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
    (time(3, 4), "03:04:00"),
    (timedelta(days=1), "P1D"),
    (Decimal("1.10"), "1.10"),
    (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ({"kind": Kind.CAKE}, {"kind": "cake"}),
    ({3}, [3]),
    ({1: "a", None: "b"}, {"1": "a", "None": "b"}),
    ([math.nan, math.inf, 1.5], [None, None, 1.5]),
    (b"caf\xc3\xa9", "café"),
    ([b"\xff\x00"], ["_wA="]),
    (pathlib.PurePosixPath("/srv/x"), "/srv/x"),
    ([ValueError("no cake")], ["ValueError: no cake"]),
    ([np.int64(3), np.float64(2.5), np.bool_(True)], [3, 2.5, True]),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    ((number for number in (1, 2)), [1, 2]),
    (["half \ud83d", "both \ud83d\ude00"], ["half \\ud83d", "both 😀"]),
    (Stubborn(), "<Stubborn>"),
    (CIRCLE, "[1, [...]]"),
]


@pytest.mark.parametrize(("value", "json_value"), VALUES, ids=[type(value).__name__ for value, _ in VALUES])
def test_values_are_written_as_pydantic_writes_them(value: Any, json_value: Any) -> None:
    """Models, dates, numbers and bytes of any nesting have a JSON form; what has none is described."""
    found = as_json(value)
    assert found == json_value
    assert json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


def test_text_is_whole() -> None:
    """A lone surrogate is escaped, a pair in two halves is joined, all other text stays as it is."""
    assert whole("plain é 😀") == "plain é 😀"
    assert whole("a\ud83d\ude00b") == "a😀b"
    assert whole("a\udc80b") == "a\\udc80b"


def test_json_that_the_wire_cannot_carry_is_mended() -> None:
    """NaN is null and text is whole at any depth, in keys too."""
    assert sound({"\ud800": [math.nan, ({"x": "\ud800"},)]}) == {"\\ud800": [None, [{"x": "\\ud800"}]]}


@pytest.mark.parametrize(
    ("number", "what", "said"),
    [(0, "turn", "0 turns"), (1, "reply", "1 reply"), (2, "reply", "2 replies"), (2, "key", "2 keys"),
     (1_234, "batch", "1,234 batches")],
)  # fmt: skip
def test_a_number_of_things_is_said_as_people_say_it(number: int, what: str, said: str) -> None:
    """One thing is one, several have their plural."""
    assert counted(number, what) == said


SCALARS: st.SearchStrategy[Any] = st.sampled_from([None, True, False, 0, 1, 0.0, -0.0, 1.0, "1", "", "true"])
NESTED: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)


@given(NESTED, NESTED)
def test_the_same_json_is_what_is_written_alike(one: Any, other: Any) -> None:
    """Two JSON values are the same exactly where their texts are the same."""
    assert same_json(one, other) == (json.dumps(one) == json.dumps(other))
    assert same_json(one, copied(one))


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.lists(NUMBERS)))
def test_numbers_are_read_as_they_were_written(value: dict[str, list[float]]) -> None:
    """What is written quickly is JSON, in which every number is read as the one it was: by this and by any reader."""
    text = dumps_numbers(value)
    for read in (loads_numbers(text), json.loads(text), loads_numbers(json.dumps(value))):
        assert repr(read) == repr(value)
