"""Ids of tool calls."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.model.ids import free_id


@pytest.mark.parametrize(
    ("wanted", "taken", "given_one"),
    [
        ("toolu_1", (), "toolu_1"),
        ("toolu_1", ("toolu_1",), "toolu_1_2"),
        ("toolu_1", ("toolu_1", "toolu_1_2"), "toolu_1_3"),
        ("run:0", (), "run_0"),
        ("run:0", ("run_0",), "run_0_2"),
        ("", (), "call"),
    ],
)
def test_the_nearest_free_id(wanted: str, taken: tuple[str, ...], given_one: str) -> None:
    """What is legal and free stays; else as little as possible changes."""
    assert free_id(wanted, taken) == given_one


@given(st.lists(st.text(max_size=4), max_size=8))
def test_ids_are_legal_and_never_given_twice(wanted: list[str]) -> None:
    """Given out one after the other, all ids differ and are letters, digits, _ and -."""
    taken: list[str] = []
    for name in wanted:
        taken.append(free_id(name, taken))
    assert len(set(taken)) == len(taken)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", name) for name in taken)
