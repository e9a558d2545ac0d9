"""Laws of frozen values made anew."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.model.frozen import with_fields


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A value of some fields."""

    name: str
    size: int = 0
    notes: list[str] = field(default_factory=list)


FIELDS = {"name": st.text(), "size": st.integers(), "notes": st.lists(st.text())}


@given(st.builds(Fact, **FIELDS), st.fixed_dictionaries({}, optional=FIELDS))
def test_other_fields_are_what_replace_makes_of_them(fact: Fact, fields: dict[str, Any]) -> None:
    """The new value is that of `dataclasses.replace`, and the old one stays as it was."""
    before = replace(fact)
    assert with_fields(fact, **fields) == replace(fact, **fields)
    assert fact == before


def test_a_name_that_is_no_field_is_refused() -> None:
    """A misspelt field is not passed over."""
    with pytest.raises(TypeError, match="sise"):
        with_fields(Fact(name="a"), sise=3)
