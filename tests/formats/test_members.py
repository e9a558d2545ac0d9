"""Values of a list read piece by piece."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidImport
from sash.formats.files import SourceFile
from sash.formats.members import Members
from sash.formats.reading import Field

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def members(text: str, chunk: int) -> list[Any]:
    """What is read of a file with this text, so many characters at a time."""
    with TemporaryDirectory() as folder, patch("sash.formats.members.CHUNK", chunk):
        path = Path(folder) / "list.json"
        path.write_text(text, encoding="utf-8")
        return [one.value if isinstance(one, Field) else one.text for one in Members(SourceFile(path=path))]


@given(st.lists(VALUES, min_size=1, max_size=5), st.integers(1, 40), st.booleans(), st.sampled_from([None, 1]))
def test_pieces_give_what_the_whole_gives(values: list[Any], chunk: int, ascii: bool, indent: int | None) -> None:
    """Wherever the pieces of a file end, in a number, an escape or a word, its values are those of the whole text."""
    assert members(json.dumps(values, ensure_ascii=ascii, indent=indent), chunk) == values


@pytest.mark.parametrize(
    ("text", "read", "words"),
    [
        ('[{"a": 1} {"a": 2}]', 1, "breaks off after 1 entries"),
        ('[{"a": 1}, {"a": 2}', 2, "breaks off after 2 entries"),
        ('[{"a": 1}, {"a": tru}, {"a": 3}]', 1, "breaks off after 1 entries"),
        ('[{"a": 1}, {"a": "' + "x" * 100, 1, "breaks off after 1 entries"),
    ],
)
@pytest.mark.parametrize("chunk", [3, 1_000])
def test_what_stands_before_a_fault_is_read(text: str, read: int, words: str, chunk: int) -> None:
    """A missing comma, a missing end and a broken value are told behind what came before them."""
    *values, remark = members(text, chunk)
    assert len(values) == read and words in remark


@pytest.mark.parametrize("text", ["[{]", "[nul", "[, 1"])
def test_a_list_of_which_nothing_can_be_read_is_an_error(text: str) -> None:
    """It names the file."""
    with pytest.raises(InvalidImport, match=r"list.json: no JSON"):
        members(text, 3)
