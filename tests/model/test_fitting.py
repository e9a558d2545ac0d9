"""What fits a type annotation, and where what does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Required, TypedDict

import pytest

from sash.model.fitting import misfit


class Low(TypedDict, total=False):
    type: Required[Literal["low"]]
    tokens: int


class High(TypedDict):
    type: Literal["high"]
    parts: Sequence[Low]


@pytest.mark.parametrize(
    ("hint", "value"),
    [(int, 3), (float, 3), (str, "é"), (None, object()), (int | None, None), (Literal["a", 1], 1),
     (Sequence[str], ["a"]),
     (Iterable[int], (1, 2)), (Mapping[str, Any], {"a": 1}), (Low | str, "x"), (Low | High, {"type": "low"}),
     (Low | High, {"type": "high", "parts": [{"type": "low", "tokens": 3}]}), (object, 3), (Exception | int, "x")],
)  # fmt: skip
def test_what_an_annotation_allows_fits(hint: Any, value: Any) -> None:
    """What it names and this module does not know fits as well."""
    assert misfit(hint, value) is None


@pytest.mark.parametrize(
    ("hint", "value", "path", "remedy"),
    [(int, True, (), "give a whole number"), (int | str | None, 1.5, (), "give a whole number or a string or None"),
     (str, "\ud800", (), "half a character"), (Sequence[str], "ab", (), "give a list"),
     (Sequence[str], ["a", 7], (1,), "give a string"), (Mapping[str, str], {"a": 1}, ("a",), "give a string"),
     (Mapping[str, str], {7: "a"}, ("7",), "give a string"), (Low, [], (), "give a dict"),
     (Low, {"tokens": 3}, ("type",), "give 'low'"), (Low | High, {"type": "hig"}, ("type",), "give 'low' or 'high'"),
     (Low | str, {}, ("type",), "give 'low'"), (Low | str, 5, (), "give a dict or a string"),
     (Low | High, {"type": "low", "tokens": "x"}, ("tokens",), "give a whole number"),
     (Low | High, {"type": "low", "token": 3}, ("token",), "did you mean 'tokens'?"),
     (Low | High, {"type": "high"}, ("parts",), "give a list"),
     (Low | High, {"type": "high", "parts": [{"type": "low"}, {"type": "lo"}]}, ("parts", 1, "type"), "give 'low'")],
)  # fmt: skip
def test_what_it_does_not_allow_is_found_in_its_place(hint: Any, value: Any, path: Any, remedy: str) -> None:
    """Of several kinds of object the one is judged whose type the value says."""
    wrong = misfit(hint, value)
    assert wrong is not None and wrong.path == path and remedy in wrong.remedy
