"""Laws of the JSON text that content is written as, with the part of `json` that is written in C and without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidContent
from sash.model import blocks

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.fixture(params=["C", "Python"])
def encoded(request: pytest.FixtureRequest) -> Iterator[None]:
    """`dumps` writes with this encoder until the test is over."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "Python":
            patch.setattr(json.encoder, "c_make_encoder", None)
        patch.setattr(blocks, "_encode", blocks.encoder(allow_nan=False))
        yield


@pytest.mark.usefixtures("encoded")
@given(VALUES)
def test_content_is_written_as_json_writes_it(value: Any) -> None:
    """Without blanks, every letter as it is."""
    assert blocks.dumps(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


BLOCKS = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}) | VALUES, max_size=2)
SIGNS = st.sampled_from(['"', "}]", "\\", "n", "u00e9", "\n", ",", '"text":', "é", " "])
BEGINNINGS = st.sampled_from(["", '[{"type":"text","text":"', '[{"type":"text","text":"a"'])


@given(BLOCKS.map(blocks.dumps) | st.tuples(BEGINNINGS, st.lists(SIGNS).map("".join)).map("".join))
def test_content_is_read_as_json_reads_it(content: str) -> None:
    """The same values, and an error for what is no JSON."""
    try:
        expected = json.loads(content)
    except json.JSONDecodeError:
        with pytest.raises(json.JSONDecodeError):
            blocks.parsed(content)
    else:
        assert repr(blocks.parsed(content)) == repr(expected)


@pytest.mark.usefixtures("encoded")
@pytest.mark.parametrize(
    "value", [[float("nan")], [object()], {(1, 2): 3}, ENDLESS], ids=["nan", "object", "key", "endless"]
)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    """A number that is none, a thing, a key that is no text, a list within itself: an error of ours."""
    with pytest.raises(InvalidContent, match="cannot be written as JSON"):
        blocks.dumps(value)
